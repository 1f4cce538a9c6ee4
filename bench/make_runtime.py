#!/usr/bin/env python3
"""Prints a ClusterTrainingRuntime of at least so many bytes: the shipped shape, with very many variables."""
import sys

size = int(sys.argv[1])
lines = """apiVersion: trainer.kubeflow.org/v1alpha1
kind: ClusterTrainingRuntime
metadata:
  name: big
spec:
  mlPolicy:
    numNodes: 1
    mpi: {numProcPerNode: 1}
  template:
    spec:
      replicatedJobs:
        - name: node
          template:
            metadata:
              labels:
                trainer.kubeflow.org/trainjob-ancestor-step: trainer
            spec:
              template:
                spec:
                  containers:
                    - name: node
                      image: example.org/image:1
                      env:""".split("\n")
length = sum(len(line) + 1 for line in lines)
number = 0
while length < size:
    entry = [
        f"                        - name: VARIABLE_{number}",
        f'                          value: "a value of the usual length, number {number}"',
    ]
    lines += entry
    length += sum(len(line) + 1 for line in entry)
    number += 1
print("\n".join(lines))
