/** Where the cgroup files of tsrun differ from a peer's on purpose; docs/compatibility.md has the same list. */
import type { LimitFiles } from './limit-files.ts'

export interface LimitDifference {
  /** Of the case in limit-cases.ts. */
  readonly name: string
  readonly peer: 'runc' | 'crun'
  /** What tsrun has written. */
  readonly files: LimitFiles
  readonly reason: string
}

export const DIFFERENCES: readonly LimitDifference[] = [
  {
    name: 'memory limit 0',
    peer: 'crun',
    files: {},
    reason: 'no limit, as with runc: callers leave 0 where their user asked for nothing',
  },
  {
    name: 'cpu idle with shares',
    peer: 'runc',
    files: { 'cpu.idle': '1', 'cpu.weight': '1' },
    reason: 'runc writes the shares behind the idleness, when the kernel takes none any more',
  },
  {
    name: 'an RDMA device that is not there',
    peer: 'crun',
    files: { refused: 'create' },
    reason: 'crun leaves linux.resources.rdma out; a limit that is not there must not seem to be',
  },
  {
    name: 'update to unlimited memory',
    peer: 'crun',
    files: {},
    reason: 'swap is unlimited with memory, as with runc and cgroup v1',
  },
  {
    name: 'update of quota and burst downwards',
    peer: 'crun',
    files: { 'cpu.max': '10000 100000', 'cpu.max.burst': '5000' },
    reason: 'crun lowers the quota below the burst that is there, which the kernel refuses',
  },
]
