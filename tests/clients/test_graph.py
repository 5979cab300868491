"""msgraph-sdk for Python: mail, chats and what is around them."""

import asyncio
import base64
import time
from io import BytesIO

import msal
import pytest
from azure.core.credentials import AccessToken
from conftest import AUTHORITY, GRAPH, PUBLIC, REDIRECT, control, visit
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_abstractions.authentication.anonymous_authentication_provider import AnonymousAuthenticationProvider
from kiota_abstractions.method import Method
from kiota_abstractions.request_information import RequestInformation
from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider
from kiota_abstractions.api_error import APIError
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph_core.tasks.large_file_upload import LargeFileUploadTask
from msgraph_core.tasks.page_iterator import PageIterator
from msgraph.generated.drives.item.items.item.create_upload_session.create_upload_session_post_request_body import (
    CreateUploadSessionPostRequestBody as UploadFile,
)
from msgraph.generated.models.attachment_item import AttachmentItem
from msgraph.generated.models.attachment_type import AttachmentType
from msgraph.generated.models.drive_item_uploadable_properties import DriveItemUploadableProperties
from msgraph.generated.models.aad_user_conversation_member import AadUserConversationMember
from msgraph.generated.models.body_type import BodyType
from msgraph.generated.models.chat import Chat
from msgraph.generated.models.chat_message import ChatMessage
from msgraph.generated.models.chat_type import ChatType
from msgraph.generated.models.email_address import EmailAddress
from msgraph.generated.models.exchange_id_format import ExchangeIdFormat
from msgraph.generated.models.file_attachment import FileAttachment
from msgraph.generated.models.followup_flag import FollowupFlag
from msgraph.generated.models.followup_flag_status import FollowupFlagStatus
from msgraph.generated.models.item_body import ItemBody
from msgraph.generated.models.mail_folder import MailFolder
from msgraph.generated.models.mailbox_settings import MailboxSettings
from msgraph.generated.models.message import Message
from msgraph.generated.models.outlook_category import OutlookCategory
from msgraph.generated.models.recipient import Recipient
from msgraph.generated.users.item.mail_folders.item.copy.copy_post_request_body import CopyPostRequestBody as CopyFolder
from msgraph.generated.users.item.messages.item.attachments.create_upload_session.create_upload_session_post_request_body import (
    CreateUploadSessionPostRequestBody as UploadAttachment,
)
from msgraph.generated.users.item.messages.item.copy.copy_post_request_body import CopyPostRequestBody
from msgraph.generated.users.item.messages.item.create_forward.create_forward_post_request_body import CreateForwardPostRequestBody
from msgraph.generated.users.item.messages.item.create_reply.create_reply_post_request_body import CreateReplyPostRequestBody
from msgraph.generated.users.item.messages.item.forward.forward_post_request_body import ForwardPostRequestBody
from msgraph.generated.users.item.messages.item.move.move_post_request_body import MovePostRequestBody
from msgraph.generated.users.item.messages.item.reply.reply_post_request_body import ReplyPostRequestBody
from msgraph.generated.users.item.messages.messages_request_builder import MessagesRequestBuilder
from msgraph.generated.users.item.send_mail.send_mail_post_request_body import SendMailPostRequestBody
from msgraph.generated.users.item.translate_exchange_ids.translate_exchange_ids_post_request_body import (
    TranslateExchangeIdsPostRequestBody,
)
from msgraph.generated.users.users_request_builder import UsersRequestBuilder

SCOPES = ["User.Read", "User.ReadBasic.All", "Mail.ReadWrite", "Mail.Send", "MailboxSettings.ReadWrite", "Chat.ReadWrite", "Team.ReadBasic.All", "Channel.ReadBasic.All", "ChannelMessage.Send", "Files.ReadWrite.All"]
# For these an administrator has to sign in.
CHANNELS = [*SCOPES, "ChannelMessage.Read.All"]
ADELE, ALEX = "adele@contoso.com", "alex@contoso.com"


class Signed:
    """A credential of someone who signed in by MSAL."""

    def __init__(self, who, scopes):
        self.app = msal.PublicClientApplication(PUBLIC, authority=AUTHORITY, instance_discovery=False)
        flow = self.app.initiate_auth_code_flow(scopes, redirect_uri=REDIRECT)
        result = self.app.acquire_token_by_auth_code_flow(flow, visit(flow["auth_uri"], who))
        self.token = result["access_token"]

    def get_token(self, *_scopes, **_kwargs):
        return AccessToken(self.token, int(time.time()) + 3000)


def graph(who=ADELE, scopes=SCOPES):
    provider = AzureIdentityAuthenticationProvider(Signed(who, scopes), scopes=scopes, allowed_hosts=["127.0.0.1"])
    adapter = GraphRequestAdapter(provider)
    adapter.base_url = GRAPH
    return GraphServiceClient(request_adapter=adapter)


def to(*addresses):
    return [Recipient(email_address=EmailAddress(address=a)) for a in addresses]


def mail(subject, **more):
    return Message(subject=subject, body=ItemBody(content_type=BodyType.Text, content="t"), to_recipients=to(ALEX), **more)


def run(story):
    asyncio.run(story())


def listed(mailbox, folder="inbox"):
    return [m["subject"] for m in control("/mail/list", {"mailbox": mailbox, "folder": folder})["items"]]


def ask(**parameters):
    return RequestConfiguration(query_parameters=MessagesRequestBuilder.MessagesRequestBuilderGetQueryParameters(**parameters))


def test_who_and_where():
    async def story():
        client = graph()
        assert (await client.me.get()).user_principal_name == ADELE
        assert (await client.organization.get()).value[0].display_name == "Contoso"
        assert (await client.users.by_user_id(ALEX).get()).display_name == "Alex Wilber"
        with pytest.raises(APIError) as missing:
            await client.me.photo.content.get()
        assert missing.value.response_status_code == 404
        settings = await client.me.mailbox_settings.patch(MailboxSettings(time_zone="Pacific Standard Time"))
        assert settings.time_zone == "Pacific Standard Time"

    run(story)


def test_the_directory():
    async def story():
        client = graph()
        query = UsersRequestBuilder.UsersRequestBuilderGetQueryParameters(filter="endswith(mail,'contoso.com')", count=True, orderby=["displayName"])
        wanted = RequestConfiguration(query_parameters=query)
        with pytest.raises(APIError):
            await client.users.get(request_configuration=wanted)
        wanted.headers.add("ConsistencyLevel", "eventual")
        people = await client.users.get(request_configuration=wanted)
        assert people.odata_count == 4 and people.value[0].display_name == "Adele Vance"

    run(story)


def test_lists_pages_and_searches():
    async def story():
        client = graph()
        control("/mail/many", {"mailbox": ADELE, "count": 25, "subject": "M"})
        control("/mail", {"mailbox": ADELE, "subject": "Invoice", "from": {"address": "megan@contoso.com"}, "text": "pay"})
        page = await client.me.messages.get(request_configuration=ask(select=["subject"], top=10, count=True))
        assert page.odata_count == 26 and len(page.value) == 10
        seen = []
        await PageIterator(page, client.request_adapter).iterate(lambda item: seen.append(item.subject) or True)
        assert len(seen) == 26
        found = await client.me.messages.get(request_configuration=ask(search='"from:megan AND invoice"'))
        assert [m.subject for m in found.value] == ["Invoice"]
        assert await client.me.messages.count.get() == 26
        unread = await client.me.messages.get(request_configuration=ask(filter="subject in ('M 1','M 2')"))
        assert len(unread.value) == 2

    run(story)


def test_delta():
    async def story():
        client = graph()
        control("/mail/many", {"mailbox": ADELE, "count": 12, "subject": "M"})
        inbox = client.me.mail_folders.by_mail_folder_id("inbox").messages.delta
        page, seen = await inbox.get(), []
        while page.odata_next_link:
            seen += page.value
            page = await inbox.with_url(page.odata_next_link).get()
        seen += page.value
        assert len(seen) == 12
        control("/mail", {"mailbox": ADELE, "subject": "New"})
        later = await inbox.with_url(page.odata_delta_link).get()
        assert [m.subject for m in later.value] == ["New"]

    run(story)


def test_sending():
    async def story():
        client = graph()
        await client.me.send_mail.post(SendMailPostRequestBody(message=mail("At once"), save_to_sent_items=False))
        assert listed(ALEX) == ["At once"] and listed(ADELE, "sentitems") == []
        file = FileAttachment(odata_type="#microsoft.graph.fileAttachment", name="a.txt", content_bytes=b"hello")
        draft = await client.me.messages.post(mail("Draft", attachments=[file]))
        one = client.me.messages.by_message_id(draft.id)
        attachments = await one.attachments.get()
        assert [a.name for a in attachments.value] == ["a.txt"]
        await one.send.post()
        assert listed(ALEX) == ["At once", "Draft"]
        other = graph(ALEX)
        got = (await other.me.mail_folders.by_mail_folder_id("inbox").messages.get()).value[0]
        got = other.me.messages.by_message_id(got.id)
        await got.reply.post(ReplyPostRequestBody(comment="Thanks"))
        await got.forward.post(ForwardPostRequestBody(to_recipients=to("megan@contoso.com"), comment="See"))
        assert listed(ADELE) and listed("megan@contoso.com")

    run(story)


def test_messages_and_folders_are_changed_and_moved():
    async def story():
        client = graph()
        control("/mail", {"mailbox": ADELE, "subject": "One"})
        message = (await client.me.messages.get()).value[0]
        one = client.me.messages.by_message_id(message.id)
        flagged = Message(is_read=True, categories=["Red category"], flag=FollowupFlag(flag_status=FollowupFlagStatus.Flagged))
        changed = await one.patch(flagged)
        assert changed.is_read and changed.flag.flag_status == FollowupFlagStatus.Flagged
        body = TranslateExchangeIdsPostRequestBody(
            input_ids=[message.id], source_id_type=ExchangeIdFormat.RestId, target_id_type=ExchangeIdFormat.RestImmutableEntryId
        )
        assert (await client.me.translate_exchange_ids.post(body)).value[0].target_id != message.id
        moved = await one.move.post(MovePostRequestBody(destination_id="archive"))
        assert listed(ADELE, "archive") == ["One"] and moved.id != message.id
        made = await client.me.mail_folders.post(MailFolder(display_name="Work"))
        folder = client.me.mail_folders.by_mail_folder_id(made.id)
        assert (await folder.patch(MailFolder(display_name="Job"))).display_name == "Job"
        copied = await folder.copy.post(CopyFolder(destination_id="archive"))
        assert copied.display_name == "Job" and copied.id != made.id
        await folder.delete()
        categories = client.me.outlook.master_categories
        added = await categories.post(OutlookCategory(display_name="Later"))
        assert added.id in [c.id for c in (await categories.get()).value]

    run(story)


def test_chats():
    async def story():
        client = graph()

        def member(who):
            bind = {"user@odata.bind": f"https://graph.microsoft.com/v1.0/users('{who}')"}
            return AadUserConversationMember(odata_type="#microsoft.graph.aadUserConversationMember", roles=["owner"], additional_data=bind)

        chat = await client.chats.post(Chat(chat_type=ChatType.OneOnOne, members=[member(ADELE), member(ALEX)]))
        messages = client.chats.by_chat_id(chat.id).messages
        await messages.post(ChatMessage(body=ItemBody(content="Hello")))
        assert [m.body.content for m in (await messages.get()).value] == ["Hello"]
        assert len((await graph(ALEX).me.chats.get()).value) == 1
        assert len((await client.chats.by_chat_id(chat.id).members.get()).value) == 2

    run(story)


PART = 10 * 327680


async def upload(session, content, part=PART):
    """By the client's own task, range by range: its loop over them ends by asking a session that is over for more. The address takes no token."""
    adapter = GraphRequestAdapter(AnonymousAuthenticationProvider())
    task = LargeFileUploadTask(session, adapter, BytesIO(content), max_chunk_size=part)
    seen = []
    for start in range(0, len(content), part):
        task.next_range = f"{start}-{min(start + part, len(content)) - 1}"
        answer = await task.next_chunk(task.stream)
        seen.append(answer.next_expected_ranges if answer else None)
    return seen


def test_a_large_attachment_by_an_upload_session():
    async def story():
        client = graph()
        draft = await client.me.messages.post(mail("Film"))
        one = client.me.messages.by_message_id(draft.id)
        content = bytes(range(250)) * 16000
        item = AttachmentItem(attachment_type=AttachmentType.File, name="film.bin", size=len(content))
        session = await one.attachments.create_upload_session.post(UploadAttachment(attachment_item=item))
        await upload(session, content)
        await one.send.post()
        files = control("/mail/list", {"mailbox": ALEX, "hashes": True})["items"][0]["files"]
        assert [(f["name"], f["size"]) for f in files] == [("film.bin", len(content))]

    run(story)


def test_drafts_of_answers_copies_and_mime():
    async def story():
        client = graph()
        control("/mail", {"mailbox": ADELE, "subject": "Plan", "from": {"address": ALEX}})
        got = (await client.me.mail_folders.by_mail_folder_id("inbox").messages.get()).value[0]
        one = client.me.messages.by_message_id(got.id)
        reply = await one.create_reply.post(CreateReplyPostRequestBody(comment="Fine"))
        assert reply.subject == "Re: Plan" and reply.is_draft
        forward = await one.create_forward.post(CreateForwardPostRequestBody(to_recipients=to("megan@contoso.com")))
        await client.me.messages.by_message_id(forward.id).send.post()
        assert len(listed("megan@contoso.com")) == 1
        copied = await one.copy.post(CopyPostRequestBody(destination_id="archive"))
        assert copied.id != got.id and listed(ADELE, "archive") == ["Plan"]
        mime = "\r\n".join(["To: alex@contoso.com", "Subject: As MIME", "", "Hello"])
        info = RequestInformation(Method.POST, "{+baseurl}/me/sendMail", {})
        info.headers.try_add("Content-Type", "text/plain")
        info.content = base64.b64encode(mime.encode())
        await client.request_adapter.send_no_response_content_async(info, {})
        assert listed(ALEX) == ["As MIME"]

    run(story)


def test_drives_channels_and_replies():
    async def story():
        control("/people", {"address": ADELE, "admin": True})
        control("/teams", {"name": "Hiring", "members": [ADELE, ALEX]})
        client = graph(scopes=CHANNELS)
        drive = await client.me.drive.get()
        items = client.drives.by_drive_id(drive.id).items
        properties = DriveItemUploadableProperties(additional_data={"@microsoft.graph.conflictBehavior": "rename"})
        content = bytes(range(250)) * 8000
        session = await items.by_drive_item_id("root:/Talks/big.bin:").create_upload_session.post(UploadFile(item=properties))
        seen = await upload(session, content, 4 * 327680)
        assert seen[0] == [f"{4 * 327680}-"]
        await items.by_drive_item_id("root:/Talks/a.txt:").content.put(b"small")
        files = control("/drives/list", {"person": ADELE})["items"]
        assert [(f["path"], f["size"]) for f in files] == [("Talks/big.bin", len(content)), ("Talks/a.txt", 5)]
        team = (await client.me.joined_teams.get()).value[0]
        channels = client.teams.by_team_id(team.id).channels
        channel = channels.by_channel_id((await channels.get()).value[0].id)
        assert (await channel.files_folder.get()).name == "General"
        post = await channel.messages.post(ChatMessage(body=ItemBody(content="Hello")))
        control("/clock", {"advance_ms": 2000})
        replies = channel.messages.by_chat_message_id(post.id).replies
        assert (await replies.post(ChatMessage(body=ItemBody(content="Thanks")))).reply_to_id == post.id
        assert [m.body.content for m in (await replies.get()).value] == ["Thanks"]

    run(story)


def test_what_is_not_simulated():
    async def story():
        with pytest.raises(APIError) as lacking:
            await graph().me.events.get()
        assert lacking.value.response_status_code == 501

    run(story)
