"""Push in Django: a view like any other, without the check for forged forms, which are not what comes here."""

import django
import uvicorn
from django.conf import settings as django_settings
from django.core.asgi import get_asgi_application
from django.http import HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from story import KEY, PORT, run, settings
from tidings import Engine, HttpRequest

django_settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1"], DATA_UPLOAD_MAX_MEMORY_SIZE=5 << 20)
django.setup()
engine = Engine.open(settings(), KEY)


@csrf_exempt
async def tidings(request):
    answer = await engine.receive(HttpRequest(method=request.method, query=request.META["QUERY_STRING"], headers=dict(request.headers), body=request.body))
    return HttpResponse(answer.body, status=answer.status, headers=answer.headers)


urlpatterns = [path("tidings", tidings)]

run(lambda: uvicorn.run(get_asgi_application(), port=PORT, log_level="error"))
