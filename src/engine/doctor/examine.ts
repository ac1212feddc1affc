/** `doctor`: holds the host against what tsrun uses of it. The table of contents. */
import { examineCgroups, examineDelegation } from './cgroup-verdicts.ts'
import { examineDisk, examineIdmappedMounts, examineOverlay } from './filesystem-verdicts.ts'
import type { HostReader } from './host-reader.ts'
import { examineIds, examineUserNamespaces } from './id-verdicts.ts'
import {
  examineKernel,
  examineMemfd,
  examineSeccomp,
  examineSecurityModules,
} from './kernel-verdicts.ts'
import { examineInotify, examineKeys } from './limit-verdicts.ts'
import {
  examineBridge,
  examineForwarding,
  examineNftables,
  examinePasta,
} from './network-verdicts.ts'
import { examineCriu } from './program-verdicts.ts'
import type { Verdict } from './verdict.ts'

type Examination = (host: HostReader) => Verdict | readonly Verdict[]

const EXAMINATIONS: readonly Examination[] = [
  examineKernel,
  examineMemfd,
  examineSeccomp,
  examineSecurityModules,
  examineCgroups,
  examineDelegation,
  examineUserNamespaces,
  examineIds,
  examineOverlay,
  examineIdmappedMounts,
  examineDisk,
  examineNftables,
  examineForwarding,
  examineBridge,
  examinePasta,
  examineCriu,
  examineInotify,
  examineKeys,
]

/** One verdict a line, the basic things first. */
export function examineHost(host: HostReader): readonly Verdict[] {
  return EXAMINATIONS.flatMap((examine) => examine(host))
}
