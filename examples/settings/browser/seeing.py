"""What tells whether a page can be read and used by everybody: contrast, names of controls, width."""

from playwright.sync_api import Page

_CONTRAST = """() => {
  const parse = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number)
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0)
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor)
      if (colour.length === 3 || colour[3] === 1) return colour
    }
    return [255, 255, 255]
  }
  const found = []
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  for (let node; (node = walker.nextNode()); ) {
    const element = node.parentElement
    if (!node.textContent.trim() || !element.checkVisibility() || element.closest('noscript, :disabled, .skip')) continue
    const [one, other] = [light(parse(getComputedStyle(element).color)), light(behind(element))]
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)
    if (ratio < 4.5) found.push(`${ratio.toFixed(2)}: ${node.textContent.trim().slice(0, 40)}`)
  }
  return found
}"""

_NAMELESS = """() => [...document.querySelectorAll('input, select, textarea, button, a, iframe, progress')].filter((one) => one.checkVisibility()
  && !(one.labels?.length || one.getAttribute('aria-label') || one.title || (one.matches('a, button') && one.textContent.trim()))).map((one) => one.outerHTML.slice(0, 80))"""


def hard_to_read(page: Page) -> list[str]:
    """Texts whose contrast is below 4.5 to 1 (WCAG 2.2, 1.4.3)."""
    found: list[str] = page.evaluate(_CONTRAST)
    return found


def nameless(page: Page) -> list[str]:
    """Controls of which a screen reader could not say what they are (WCAG 2.2, 4.1.2)."""
    found: list[str] = page.evaluate(_NAMELESS)
    return found


def wider_than_the_screen(page: Page) -> bool:
    wider: bool = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    return wider
