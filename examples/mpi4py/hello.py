"""Every rank says where it is and checks that RANK and WORLD_SIZE, which Viaduct sets, are what MPI says."""

import os
import sys

from mpi4py import MPI


def disagreements(rank, size):
    told = {"RANK": str(rank), "WORLD_SIZE": str(size)}
    return [f"{name} is {os.environ[name]}, MPI says {value}" for name, value in told.items()
            if os.environ.get(name, value) != value]


def main():
    comm = MPI.COMM_WORLD
    rank, size = comm.Get_rank(), comm.Get_size()
    # One write for the whole line, or lines of different ranks may mix.
    sys.stdout.write(f"rank {rank} of {size} on {MPI.Get_processor_name()}, RANK={os.environ.get('RANK', 'unset')}\n")
    sys.stdout.flush()

    problems = disagreements(rank, size)
    sys.stderr.write("".join(f"rank {rank}: {problem}\n" for problem in problems))
    wrong = comm.allreduce(len(problems), op=MPI.SUM)
    total = comm.allreduce(rank, op=MPI.SUM)
    expected = size * (size - 1) // 2
    if rank == 0:
        print(f"the ranks add up to {total}, expected {expected}")
    return 1 if wrong or total != expected else 0


if __name__ == "__main__":
    sys.exit(main())
