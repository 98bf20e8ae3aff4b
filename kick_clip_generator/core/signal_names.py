"""Columns that not every timeline has: who measures them and who listens to them meet here.

Speech, from a transcript; NaN where none was made:

- `speech_hype`: words of excitement a second ("insane", "let's go").
- `speech_rate`: words a second.
- `speech_pause`: 1 where no word is spoken in the tick, else 0.
- `sentence_end`: 1 where a sentence ends in the tick, else 0.

Chat, from what viewers wrote; each tick tells of the ten seconds around the moment that they answer, see
`features.chat`:

- `chat_rate`: lines a second.
- `chat_chatters`: how many people wrote.
- `chat_voices`: how many different things were said, where the same line of n people counts √n.
- `chat_laughs`, `chat_shouts`: laughing lines, and shouts and emotes, a second.
- `chat_repeats`: share of the lines that say what another one says, too.
"""

from __future__ import annotations

SPEECH_NAMES = ("speech_hype", "speech_rate", "speech_pause", "sentence_end")
CHAT_NAMES = ("chat_rate", "chat_chatters", "chat_voices", "chat_laughs", "chat_shouts", "chat_repeats")
