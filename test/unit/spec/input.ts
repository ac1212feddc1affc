/** A small valid SpecInput that the tests of src/spec vary. */
import { CAPABILITY_NAMES } from '../../../src/linux/capabilities.ts'
import type { SpecHost, SpecInput, SpecOptions } from '../../../src/spec/spec-input.ts'

export const HOST: SpecHost = {
  architecture: 'x86_64',
  hostname: 'machine',
  kernelRelease: '6.1.0-18-amd64',
  capabilities: CAPABILITY_NAMES,
  devices: [],
  workingDirectory: '/home/me',
  seccompProfiles: new Map(),
  apparmor: false,
  selinux: false,
}

export const PASSWD = 'root:x:0:0:root:/root:/bin/sh\nweb:x:100:101:,,,:/srv/web:/sbin/nologin\n'
export const GROUP = 'root:x:0:\nweb:x:101:\nvideo:x:44:web,other\naudio:x:29:web\n'

export function specInput(options: SpecOptions = {}, parts: Partial<SpecInput> = {}): SpecInput {
  return {
    containerId: '0123456789abcdef0123',
    rootPath: '/run/root',
    image: { Cmd: ['sh'] },
    options,
    host: HOST,
    passwd: PASSWD,
    group: GROUP,
    defaultSeccompProfile: () => ({ defaultAction: 'SCMP_ACT_ERRNO' }),
    ...parts,
  }
}
