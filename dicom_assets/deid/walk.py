"""The walk over the encoded elements of an instance, its loops: element after element, item after item.

What became of an element is remembered by the element's bytes, and what became of a run of elements by the run's, so
that the equal elements of a series, or of the frames of one instance, are worked once.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

from ..errors import BadInput, Refused
from .context import Context, Effect, Outcome, Run, Scope, merged
from .dictionary import is_published
from .elements import (
    ENCODED_LONG_VRS,
    ENCODED_VRS,
    MOST_ELEMENTS,
    MOST_OF_A_DATA_SET,
    PIXEL_TAGS,
    UNDEFINED,
    Element,
    MoreNeeded,
    NotInOrder,
    encode,
    header_at,
    implicit_header,
    long_length,
    short_header,
)
from .outcomes import OFFSET_TABLES, OVERLAYS, Outcomes, changed
from .private_elements import vr_by_form
from .survey import CHARACTER_SET, NO_MARKS, NOTED, end_of, is_padding
from .values import character_set

_SHORTEST_RUN = 2  #: elements
_LONGEST_REMEMBERED = 4096  #: bytes of an element that is remembered
_LONGEST_CREATOR = 64  #: characters of an LO
_PIXEL_REPRESENTATION = 0x00280103
_CODING_SCHEME = 0x00080102
_SWITCHES = frozenset(
    {CHARACTER_SET, _PIXEL_REPRESENTATION, _CODING_SCHEME}
)  #: they decide over the elements behind them


class _Known(NamedTuple):
    """An element of the top level whose outcome was remembered: its extent, its place in the output, and how many
    effects there were before and with it."""

    scope: Scope
    tag: int
    start: int
    stop: int
    place: int
    effects: int
    effects_behind: int


@dataclass(slots=True)
class _Block:
    """A block of private elements (PS3.5 7.8.1): its creator, as an element, and that element's place in the output."""

    creator: str
    place: int
    encoded: bytes
    is_kept: bool = False


class Walk(Outcomes):
    """One instance's walk. encoding: implicit or explicit, Little Endian."""

    def __init__(self, context: Context, implicit: bool) -> None:
        super().__init__(context, implicit)
        self.private_removed: set[int] = set()  #: of the top level

    # the loops

    def top_level(
        self, data: bytes, position: int, end: int, noted: dict[int, bytes], behind: int = -1
    ) -> tuple[list[bytes], list[Effect], int]:
        """Walks the top level from position to the pixel data, or to the file's end. data may be the file's beginning
        only; then MoreNeeded. noted: gets the values of NOTED. behind: the tag of the pixel data, for what follows it.
        The output's elements, their effects, and the position behind the last.

        Runs of elements that were equal in an earlier instance are taken over without a look at each."""
        out: list[bytes] = []
        effects: list[Effect] = []
        scope, implicit, limit, previous = self.context.root, self.implicit, len(data), behind
        self._end, self._ends = end, {}
        own, own_index = (self.context.own if behind < 0 else ()), 0
        drops_private = not self.profile.keeps_private
        blocks: dict[int, _Block] = {}
        known: list[_Known] = []
        broken, broken_at = b"", 0  # a run that did not come again, and where it would have begun
        while position < end:
            if position + 12 > limit:
                if limit < end:
                    raise MoreNeeded
                if position + 8 > end and not is_padding(data, position):
                    raise BadInput("ELEMENT_TRUNCATED")
                if position + 8 > end:
                    position = end
                    break
            tag, stated, length, value = header_at(data, position, end, implicit)
            if tag <= previous or not tag:
                if limit < end:
                    raise MoreNeeded
                if not is_padding(data, position):
                    raise NotInOrder
                position = end
                break
            if tag in PIXEL_TAGS:
                break
            while own_index < len(own) and tag >= own[own_index][0]:
                out.append(own[own_index][1])
                own_index += 1
            if tag & 0x10000 and drops_private:
                position, previous = self._skip_private(data, position, limit, end, previous)
                continue
            run = scope.runs.get(tag)
            if run is not None and data.startswith(run.encoded, position):
                out.append(run.out)
                if run.effect is not None:
                    effects.append(run.effect)
                noted.update(run.noted)
                position += len(run.encoded)
                previous = run.last_tag
                self.count += run.count
                continue
            if run is not None:
                broken, broken_at = scope.runs.pop(tag).encoded, position
            stop = value + length
            if stop > limit:
                stop = end_of(data, position, limit, end, length, value, implicit, 0, self._ends)
            self.count += 1
            if tag & 0x10000:
                extent = (position, value, stop)
                self._private(scope, tag, stated, data, extent, length == UNDEFINED, blocks, out, effects)
                position, previous = stop, tag
                continue
            if tag in NOTED:
                noted[tag if implicit or stated in NOTED[tag] else -tag] = data[value:stop]
            outcome = scope.memo.get(data[position:stop]) if stop - position <= _LONGEST_REMEMBERED else None
            if broken and not broken.startswith(data[position:stop], position - broken_at):
                scope.varying.add(tag)
                broken = b""
            if outcome is None:
                if len(out) > MOST_OF_A_DATA_SET:
                    raise Refused("TOO_MANY_ELEMENTS")
                outcome = self._worked(scope, data, tag, stated, position, value, stop, length)
            elif tag not in scope.varying and tag not in _SWITCHES:
                behind_effects = len(effects) + (outcome[1] is not None)
                known.append(_Known(scope, tag, position, stop, len(out), len(effects), behind_effects))
            out.append(outcome[0])
            if outcome[1] is not None:
                effects.append(outcome[1])
            if tag in _SWITCHES:
                scope = self._switched(scope, tag, data[value:stop])
            position, previous = stop, tag
        if self.count > MOST_ELEMENTS:
            raise Refused("TOO_MANY_ELEMENTS")
        self._remember_runs(known, data, out, effects, noted)
        out += [encoded_element for _tag, encoded_element in own[own_index:]]
        effects += [changed(tag) for tag, block in blocks.items() if not block.is_kept]
        return out, effects, position

    def _remember_runs(
        self, known: list["_Known"], data: bytes, out: list[bytes], effects: list[Effect], noted: dict[int, bytes]
    ) -> None:
        """known: the elements that were remembered one by one; those that follow one another become runs."""
        first = 0
        for last, element in enumerate(known):
            following = known[last + 1] if last + 1 < len(known) else None
            if following and following.start == element.stop and following.place == element.place + 1:
                continue
            begun, count = known[first], last + 1 - first
            first = last + 1
            if count < _SHORTEST_RUN:
                continue
            run = data[begun.start : element.stop]
            begun.scope.runs[begun.tag] = Run(
                encoded=run,
                out=b"".join(out[begun.place : element.place + 1]),
                effect=merged(effects[begun.effects : element.effects_behind]),
                noted={tag: value for tag, value in noted.items() if begun.tag <= abs(tag) <= element.tag},
                last_tag=element.tag,
                count=count,
            )
            self.context.remembered += 2 * len(run) + 1000

    def _skip_private(self, data: bytes, position: int, limit: int, end: int, previous: int) -> tuple[int, int]:
        """Behind the private elements that begin at position, and the tag of the last of them."""
        implicit, removed = self.implicit, self.private_removed
        while position + 12 <= limit:
            if implicit:
                group, number, length = implicit_header(data, position)
                value = position + 8
            else:
                group, number, stated, length = short_header(data, position)
                value = position + 8
                if stated in ENCODED_LONG_VRS:
                    length, value = long_length(data, position + 8)[0], position + 12
                elif stated not in ENCODED_VRS and group & 1:
                    raise BadInput("VR_UNKNOWN")
            tag = group << 16 | number
            if not group & 1 or tag <= previous:
                break
            stop = value + length
            if stop > limit:
                stop = end_of(data, position, limit, end, length, value, implicit, 0, self._ends)
            removed.add(tag)
            if len(removed) > MOST_OF_A_DATA_SET:
                raise Refused("TOO_MANY_ELEMENTS")
            position, previous = stop, tag
        else:
            if limit == end and position + 8 <= end:  # an empty one at the very end
                tag, _stated, length, value = header_at(data, position, end, implicit)
                if tag & 0x10000 and tag > previous:
                    if value + length > end:
                        raise BadInput("ELEMENT_TRUNCATED")
                    removed.add(tag)
                    position, previous = value + length, tag
        return position, previous

    def data_set(self, scope: Scope, data: bytes, position: int, end: int) -> tuple[list[bytes], list[Effect]]:
        """Walks an item's data set from position to end: the output's elements, and their effects."""
        out: list[bytes] = []
        effects: list[Effect] = []
        memo, implicit, previous = scope.memo, self.implicit, -1
        drops_private = not self.profile.keeps_private
        blocks: dict[int, _Block] = {}
        while position < end:
            tag, stated, length, value = header_at(data, position, end, implicit)
            if tag <= previous:
                raise NotInOrder
            stop = value + length
            if stop > end:
                stop = end_of(data, position, end, end, length, value, implicit, len(scope.path), self._ends)
            self.count += 1
            if tag & 0x10000:
                if drops_private:
                    effects.append(changed(tag))
                else:
                    extent = (position, value, stop)
                    self._private(scope, tag, stated, data, extent, length == UNDEFINED, blocks, out, effects)
            else:
                outcome = memo.get(data[position:stop]) if stop - position <= _LONGEST_REMEMBERED else None
                if outcome is None:
                    if len(out) > MOST_OF_A_DATA_SET or self.count > MOST_ELEMENTS:
                        raise Refused("TOO_MANY_ELEMENTS")
                    outcome = self._worked(scope, data, tag, stated, position, value, stop, length)
                out.append(outcome[0])
                if outcome[1] is not None:
                    effects.append(outcome[1])
                if tag in _SWITCHES:
                    scope = self._switched(scope, tag, data[value:stop])
                    memo = scope.memo
            position, previous = stop, tag
        if self.count > MOST_ELEMENTS:
            raise Refused("TOO_MANY_ELEMENTS")
        effects += [changed(tag) for tag, block in blocks.items() if not block.is_kept]
        return out, effects

    def _worked(
        self, scope: Scope, data: bytes, tag: int, stated: bytes, position: int, value: int, stop: int, length: int
    ) -> Outcome:
        """The outcome of an element that is not remembered; from now on it is."""
        undefined = length == UNDEFINED
        vr = self._vr(scope, tag, stated, length)
        element = Element(tag, vr, position, value, stop - 8 if undefined else stop, stop, undefined)
        outcome = self._outcome(scope, element, data)
        depends_on_the_whole = tag >> 16 in OVERLAYS or tag in OFFSET_TABLES
        if stop - position <= _LONGEST_REMEMBERED and not depends_on_the_whole and not self.context.is_full:
            scope.memo[data[position:stop]] = outcome
            self.context.remembered += 2 * (stop - position) + 400
        return outcome

    def _switched(self, scope: Scope, tag: int, value: bytes) -> Scope:
        """The same place under the character set, or the sign of pixels, that is stated just now."""
        if tag == CHARACTER_SET:
            return scope.with_charset(character_set(value) or b"")
        if tag == _CODING_SCHEME:
            return scope.with_codes(is_published(value)) if self.profile.cleans_descriptors else scope
        return scope.with_signed(value[:1] == b"\1")

    def _private(
        self, scope: Scope, tag: int, stated: bytes, data: bytes, extent: tuple[int, int, int], undefined: bool,
        blocks: dict[int, "_Block"], out: list[bytes], effects: list[Effect],
    ) -> None:  # fmt: skip
        """A private element of a profile that keeps some: by its creator, and with it. extent: where the element, its
        value, and what follows begin. blocks: those of this data set so far, by the tag of their creators."""
        group, number = tag >> 16, tag & 0xFFFF
        position, value, stop = extent
        if 0x10 <= number <= 0xFF:
            name = data[value:stop].strip(b" \0")
            if name.isascii() and len(name) <= _LONGEST_CREATOR:
                blocks[tag] = _Block(name.decode("ascii"), len(out), encode(tag, "LO", name))
                out.append(b"")
            else:
                effects.append(changed(tag))
            return
        block = blocks.get(group << 16 | number >> 8)
        allowed = self.profile.private_vr(block.creator, group, number & 0xFF) if block else None
        encoded_element, effect = b"", None
        if allowed is not None:
            vr = self._private_vr(stated, allowed, undefined, data[value:stop])
            if not allowed or vr in allowed.split(" or "):
                element = Element(tag, vr, position, value, stop - 8 if undefined else stop, stop, undefined)
                encoded_element, effect = self._kept_private(scope, element, data)
        if not encoded_element:
            effects.append(changed(tag))
            return
        if effect is not None:
            effects.append(replace(effect, marks=NO_MARKS))  # as the survey, which does not look there
        if not block.is_kept:
            self._gated(scope, group << 16 | number >> 8, "LO", block.creator.encode())
            block.is_kept, out[block.place] = True, block.encoded
        out.append(encoded_element)

    def _private_vr(self, stated: bytes, allowed: str, undefined: bool, value: bytes) -> str:
        """As stated; else the one that is allowed; else, where any is, what the value looks like."""
        vr = "UN" if self.implicit else ENCODED_VRS.get(stated, "")
        if not vr:
            raise BadInput("VR_UNKNOWN")
        if vr != "UN":
            return vr
        if undefined:
            return "SQ"
        return allowed.split(" or ")[-1] if allowed else vr_by_form(value)
