"""What is read from the text of compiled programs."""

import jax
import jax.numpy as jnp
import pytest

from ncjax.hardware.program_text import array_bytes, collectives, step_traffic

# A loop that trains and a branch that measures, as XLA writes them: a message in an instruction of its own, one inside
# of a fusion, one that the compiler started early and wrote twice.
TEXT = """
HloModule jit_advance, is_scheduled=true

%fused (param.1: f32[8]) -> f32[32] {
  %param.1 = f32[8]{0} parameter(0)
  ROOT %all-gather.1 = f32[32]{0} all-gather(%param.1), channel_id=7, metadata={op_name="jit(measure)/a"}
}

%body (state: (f32[4,16], f32[8])) -> (f32[4,16], f32[8]) {
  %state = (f32[4,16]{1,0:T(8,128)}, f32[8]{0}) parameter(0)
  %one = f32[4,16]{1,0:T(8,128)} get-tuple-element(%state), index=0
  %kept = f32[4,16]{1,0:T(8,128)S(1)} fusion(%one), kind=kLoop, calls=%plain
  %sums = (f32[4,16]{1,0}, f32[16]{0}) all-reduce(%kept, %one), channel_id=1, to_apply=%add, metadata={op_name="grad"}
  %two = f32[8]{0} get-tuple-element(%state), index=1
  %inner = f32[8]{0} while(%two), condition=%true, body=%inner_body
  ROOT %result = (f32[4,16]{1,0}, f32[8]{0}) tuple(%one, %inner)
}

%inner_body (x: f32[8]) -> f32[8] {
  %x = f32[8]{0} parameter(0)
  %start = (f32[8]{0}, f32[8]{0}) collective-permute-start(%x), channel_id=3, source_target_pairs={{0,1}}
  ROOT %done = f32[8]{0} collective-permute-done(%start)
}

%measuring (y: f32[8]) -> f32[32] {
  %y = f32[8]{0} parameter(0)
  %copy = f32[32]{0} fusion(%y), kind=kCustom, calls=%fused.copy
  ROOT %gathered = f32[32]{0} fusion(%y), kind=kCustom, calls=%fused
}

%fused.copy (param.2: f32[8]) -> f32[32] {
  %param.2 = f32[8]{0} parameter(0)
  ROOT %all-gather.2 = f32[32]{0} all-gather(%param.2), channel_id=7, dimensions={0}
}

%nothing (z: f32[8]) -> f32[32] {
  ROOT %blank = f32[32]{0} constant({...})
}

ENTRY %main (a: f32[8]) -> f32[32] {
  %a = f32[8]{0} parameter(0)
  %first = f32[4,16]{1,0} fusion(%a), kind=kLoop, calls=%plain
  %tuple = (f32[4,16]{1,0}, f32[8]{0}) tuple(%first, %a)
  %loop = (f32[4,16]{1,0}, f32[8]{0}) while(%tuple), condition=%true, body=%body
  ROOT %branch = f32[32]{0} conditional(%p, %a, %a), branch_computations={%nothing, %measuring}
}
"""


def test_messages_are_told_apart_by_the_part_of_the_program_and_copies_count_once():
    found = [(each.place, each.kind, each.bytes, each.source) for each in collectives(TEXT)]
    assert sorted(found) == [
        ("measuring", "all-gather", 128, "jit(measure)/a"),
        ("training", "all-reduce", 4 * (4 * 16 + 16), "grad"),
        ("training", "collective-permute", 32, ""),
    ]


def test_where_runs_take_turns_the_loop_around_both_is_neither():
    around = TEXT.replace("ENTRY %main", "%turn") + (
        "\nENTRY %main (a: f32[8]) -> f32[32] {\n  %a = f32[8]{0} parameter(0)\n"
        "  ROOT %turns = f32[32]{0} while(%a), condition=%true, body=%turn\n}\n"
    )
    assert [(m.place, m.kind) for m in collectives(around, over_runs=True)] == [
        (m.place, m.kind) for m in collectives(TEXT)
    ]


def test_a_step_moves_what_its_instructions_read_and_write_off_the_chip():
    # The fusion reads 256 bytes and keeps its result on the chip; the sum reads 256 and writes 320; the inner loop's
    # message reads 32 and writes 64.
    assert step_traffic(TEXT) == (3, 256 + 256 + 320 + 32 + 64)


@pytest.mark.parametrize(
    ("shape", "size"),
    [("f32[]", 4), ("pred[3]", 3), ("bf16[2,5]{1,0}", 20), ("s64[2]", 16), ("(u8[7], f16[1])", 9), ("token[]", 1)],
)
def test_arrays_have_the_sizes_of_their_types(shape, size):
    assert array_bytes(shape) == size


def test_a_program_of_this_jax_is_read():
    @jax.jit
    def program(x, steps, measuring):
        x = jax.lax.fori_loop(0, steps, lambda _, x: jnp.sin(x) @ x, x)
        return jax.lax.cond(measuring, lambda x: jnp.cos(x).sum(), lambda x: x[0, 0], x)

    text = program.lower(jnp.ones((64, 64)), 3, True).compile().as_text() or ""
    traffic = step_traffic(text)
    # A sine and a product: each reads and writes arrays of 16 KiB, and the compiler may fuse or copy.
    assert 2 <= traffic.instructions <= 8
    assert 3 * 2**14 <= traffic.bytes <= 10 * 2**14
    assert collectives(text) == []
