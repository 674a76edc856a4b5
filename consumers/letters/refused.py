"""Which of the records that were published became dead letters, and why. Sends nothing."""

from collections import Counter
from collections.abc import Mapping
from contextlib import aclosing

from consumers.acknowledged import Acknowledged
from consumers.letters.letter import Origin, letter_in
from consumers.letters.topic import parked_records
from consumers.settings import Settings


async def refused_of(settings: Settings, since: Mapping[int, int], published: Acknowledged) -> Mapping[str, int]:
    """Reason -> how many of the published records are dead letters for it, among the letters from `since` on.

    `since` is by partition. What was parked twice, after a crash, counts once. Raises LettersUnreadable, KafkaError.
    """
    reasons: dict[Origin, str] = {}
    async with aclosing(parked_records(settings, since)) as records:
        async for record in records:
            letter = letter_in(record)
            if letter is not None and letter.origin in published:
                reasons[letter.origin] = letter.reason
    return Counter(reasons.values())
