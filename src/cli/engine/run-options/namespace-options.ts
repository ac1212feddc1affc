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
  gidmap: {
    type: 'list',
    describe: 'a range of group ids of its own, for --uidmap is not for both',
    value: 'inside:outside:amount',
  },
  subgidname: {
    type: 'string',
    describe: 'the group ids that /etc/subgid gives to a name',
    value: 'name',
  },
  subuidname: {
    type: 'string',
    describe: 'the ids that /etc/subuid gives to a name, for both when it stands alone',
    value: 'name',
  },
  uidmap: {
    type: 'list',
    describe: 'a range of ids of its own, for users and groups unless --gidmap is given',
    value: 'inside:outside:amount',
  },
  userns: {
    type: 'string',
    describe: 'the ids of the host, a free range of its own, or whose',
    value: 'host|auto|auto:size=n|container:name',
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
    gidMaps: options.list('gidmap'),
    pid: options.string('pid'),
    subgidName: options.string('subgidname'),
    subuidName: options.string('subuidname'),
    uidMaps: options.list('uidmap'),
    userns: options.string('userns'),
    uts: options.string('uts'),
  }
}
