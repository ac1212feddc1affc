/** The resctrl groups of a container: noted before they are made, so that they can be found after a crash. */
import { join } from 'node:path'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import { containerDirectory, writeContainerFile } from '../state/state-directory.ts'
import { readTextIfThere } from '../util/if-there.ts'
import {
  checkRdtGroups,
  findResctrl,
  makeRdtGroups,
  RDT_FILE,
  type RdtGroups,
  rdtGroups,
  removeRdtGroups,
} from './intel-rdt.ts'

/** Makes what `linux.intelRdt` asks for; undefined when it asks for nothing. On failure nothing is left. */
export function makeContainerRdt(
  root: string,
  id: string,
  config: RuntimeConfig,
): RdtGroups | undefined {
  const rdt = config.linux?.intelRdt
  if (rdt === undefined) return undefined
  const resctrl = findResctrl()
  const groups = rdtGroups(resctrl, id, rdt)
  // Before they are noted: what is noted is removed after a crash.
  checkRdtGroups(groups, rdt)
  writeContainerFile(root, id, RDT_FILE, JSON.stringify(groups))
  makeRdtGroups(resctrl, groups, rdt)
  return groups
}

/** The groups that a container was made with. */
export function containerRdt(root: string, id: string): RdtGroups | undefined {
  const text = readTextIfThere(join(containerDirectory(root, id), RDT_FILE))
  // Empty: its maker was killed between making the file and writing it, so before the groups.
  return text === undefined || text === '' ? undefined : JSON.parse(text)
}

/** Removes the groups that were made for the container. */
export function removeContainerRdt(root: string, id: string): void {
  const groups = containerRdt(root, id)
  if (groups !== undefined) removeRdtGroups(groups)
}
