/** Options of `run` and `create` about namespaces: which are the container's own, and whose the others are. */
import type { RunRequest } from '../../../engine/run-request.ts'
import type { CommandOptions, OptionSpec } from '../command.ts'

export const NAMESPACE_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  cgroupns: {
    type: 'string',
    describe: 'its own cgroup namespace, or whose',
    value: 'private|host|container:name|ns:path',
  },
  domainname: { type: 'string', describe: 'NIS domain of the host inside', value: 'name' },
  ipc: {
    type: 'string',
    describe: 'its own shared memory, for others too, none, or whose',
    value: 'private|shareable|none|host|container:name',
  },
  pid: {
    type: 'string',
    describe: 'its own processes alone, or whose',
    value: 'private|host|container:name|ns:path',
  },
  uts: {
    type: 'string',
    describe: 'its own host name, or whose',
    value: 'private|host|container:name|ns:path',
  },
}

export function namespaceRequest(options: CommandOptions): Partial<RunRequest> {
  return {
    cgroupns: options.string('cgroupns'),
    domainname: options.string('domainname'),
    ipc: options.string('ipc'),
    pid: options.string('pid'),
    uts: options.string('uts'),
  }
}
