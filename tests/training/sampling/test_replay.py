"""What is replayed is what would have been computed; on a GPU, where there is one."""

import pytest
import torch
from torch import Tensor

from training.sampling.replay import Replay

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")),
]


@pytest.mark.parametrize("device", DEVICES)
def test_every_call_computes_with_its_inputs_and_with_what_is_kept(device: str) -> None:
    kept = torch.zeros(4, 3, device=device)

    def step(value: Tensor, row: Tensor) -> Tensor:
        kept.index_copy_(0, row, value[None])
        return kept.sum(0) * 2

    replay = Replay(step)
    total = torch.zeros(3, device=device)
    for number in range(4):
        value = torch.full((3,), float(number + 1), device=device)
        total += value
        assert torch.equal(replay(value, torch.tensor([number], device=device)), total * 2)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_memory_of_graphs_is_used_again() -> None:
    reserved = []
    for _ in range(5):
        weight = torch.randn(1024, 1024, device="cuda")
        replay = Replay(lambda x, weight=weight: x @ weight)
        replay(torch.randn(1024, 1024, device="cuda"))
        reserved.append(torch.cuda.memory_reserved())
    assert reserved[-1] == reserved[1]
