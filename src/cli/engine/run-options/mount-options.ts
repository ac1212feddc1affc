/** Options of `run` and `create` about file systems: volumes, mounts, and whether the root can be written. */
import type { RunRequest } from '../../../engine/run-request.ts'
import type { CommandOptions, OptionSpec } from '../command.ts'

export const MOUNT_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  mount: {
    type: 'list',
    describe: 'mount something',
    value: 'type=volume|bind|tmpfs|image,src=…,dst=…',
  },
  'read-only': { type: 'flag', describe: 'the root cannot be written' },
  'read-only-tmpfs': {
    type: 'flag',
    describe: 'with --read-only: /run, /tmp and /var/tmp can be written',
  },
  chrootdirs: {
    type: 'list',
    describe: 'a folder that programs chroot into: it gets /etc/hosts and the like',
    value: 'path',
  },
  'no-hostname': { type: 'flag', describe: "leave the image's /etc/hostname" },
  'no-hosts': { type: 'flag', describe: "leave the image's /etc/hosts" },
  secret: {
    type: 'list',
    describe: 'a file with a secret, /run/secrets/NAME unless target= says where',
    value: 'name[,target=path][,uid=0][,gid=0][,mode=0444]',
  },
  tmpfs: { type: 'list', describe: 'mount an empty tmpfs', value: 'path[:options]' },
  volume: {
    type: 'list',
    alias: 'v',
    describe: 'mount a volume, or a folder or file of the host',
    value: '[source:]path[:options]',
  },
  'volumes-from': {
    type: 'list',
    describe: 'mount the volumes of another container',
    value: 'container[:ro]',
  },
}

export function mountRequest(options: CommandOptions): Partial<RunRequest> {
  return {
    volumes: options.list('volume'),
    mounts: options.list('mount'),
    volumesFrom: options.list('volumes-from'),
    tmpfs: options.list('tmpfs'),
    readOnlyTmpfs: options.flag('read-only-tmpfs'),
    chrootFolders: options.list('chrootdirs').flatMap((text) => text.split(',')),
    noHostname: options.flag('no-hostname'),
    noHosts: options.flag('no-hosts'),
    readOnly: options.flag('read-only'),
    secrets: options.list('secret'),
  }
}
