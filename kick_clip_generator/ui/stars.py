"""The stars of a clip: native radio buttons, so that mouse, touch, keyboard and screen readers all work."""

from __future__ import annotations

from kick_clip_generator.library.records import MAX_STARS, MIN_STARS
from kick_clip_generator.ui.html import Html, joined, markup


def stars_field(clip_id: int, stars: int | None, *, place: str) -> Html:
    """The rating of a clip.

    Args:
        place: where on the page it stands: the same clip may be shown in several tabs, and radio buttons of one name
            exclude each other.
    """
    return markup(
        '<fieldset class="stars" data-clip="{clip_id}"><legend>Your rating</legend>{choices}</fieldset>',
        clip_id=clip_id,
        choices=joined(
            markup(
                '<label title="{words}"><input type="radio" name="stars-{place}-{clip_id}" value="{n}"{checked}>'
                '<span aria-hidden="true">★</span><span class="unseen">{words}</span></label>',
                place=place,
                clip_id=clip_id,
                n=n,
                words="1 star" if n == 1 else f"{n} stars",
                checked=Html(" checked") if n == stars else "",
            )
            for n in range(MIN_STARS, MAX_STARS + 1)
        ),
    )


# Runs once per `gr.HTML`. The event is `rate` with {clip, stars}; stars null is a skip.
# - Arrow keys move the choice inside a radio group and fire `change` each time: a rating is sent only when Enter, Space
#   or a digit says so, or the mouse or a finger chose.
# - After Python sent new HTML, Gradio patches the elements that are there; a radio that was touched keeps its own state
#   then, so it is set again from the attribute.
STARS_JS = """
const send = (clip, stars) => trigger('rate', {clip: Number(clip), stars: stars});
const field = node => node.closest ? node.closest('.stars') : null;
let browsing = false;
element.addEventListener('keydown', event => {
  const stars = field(event.target);
  if (!stars || event.ctrlKey || event.metaKey || event.altKey) return;
  browsing = event.key.startsWith('Arrow');
  const chosen = stars.querySelector('input:checked');
  if ((event.key === 'Enter' || event.key === ' ') && chosen) {
    event.preventDefault();
    send(stars.dataset.clip, Number(chosen.value));
  }
});
element.addEventListener('pointerdown', () => { browsing = false; });
element.addEventListener('change', event => {
  const stars = field(event.target);
  if (stars && !browsing) send(stars.dataset.clip, Number(event.target.value));
  browsing = false;
});
element.addEventListener('click', event => {
  const skip = event.target.closest('[data-skip]');
  if (skip) send(skip.dataset.skip, null);
});
watch('value', () => element.querySelectorAll('.stars input').forEach(radio => {
  radio.checked = radio.hasAttribute('checked');
}));
"""

# The keys of the Rate tab: 1-5 and s, wherever the focus is, but not while somebody types.
KEYS_JS = """
const onKey = event => {
  if (!element.isConnected) return document.removeEventListener('keydown', onKey);
  const typing = event.target.closest &&
    event.target.closest('textarea, select, [contenteditable], [role="listbox"], input:not([type="radio"])');
  if (typing || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const stars = element.querySelector('.stars');
  if (!stars || !stars.offsetParent) return;
  if (/^[1-5]$/.test(event.key)) {
    stars.querySelectorAll('input')[Number(event.key) - 1].checked = true;
    send(stars.dataset.clip, Number(event.key));
  } else if (event.key === 's' || event.key === 'S') {
    send(stars.dataset.clip, null);
  }
};
document.addEventListener('keydown', onKey);
"""
