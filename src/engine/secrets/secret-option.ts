/** `--secret name[,key=value]…` of `run`, as podman has it. */

import { join } from 'node:path'
import type { Mount } from '../../oci/runtime-config.ts'
import { refuseOption } from '../../spec/invalid-option.ts'
import { cleanDestination } from '../../spec/user-mount.ts'

export interface WantedSecret {
  readonly name: string
  /** Absolute path in the container. */
  readonly target: string
  readonly uid: number
  readonly gid: number
  readonly mode: number
}

const FOLDER = '/run/secrets'
const MAX_ID = 0xffff_fffe

/** Throws `invalid-argument`, and `not-implemented` for variables, which `inspect` and /proc would show. */
export function parseSecretOption(text: string): WantedSecret {
  const [name = '', ...pairs] = text.split(',')
  const fields = new Map(pairs.map((pair) => splitPair(text, pair)))
  if (name === '' || name.includes('=')) refuseOption('secret', text, 'it must begin with a name')
  if ((fields.get('type') ?? 'mount') !== 'mount')
    refuseOption('secret', text, 'only type=mount is there; a variable would be seen by everybody')
  const target = fields.get('target') ?? name
  const path = target.startsWith('/') ? target : `${FOLDER}/${target}`
  return {
    name,
    target: cleanDestination('secret', text, path),
    uid: numberOf(text, fields.get('uid') ?? '0', 10, MAX_ID),
    gid: numberOf(text, fields.get('gid') ?? '0', 10, MAX_ID),
    mode: numberOf(text, fields.get('mode') ?? '0444', 8, 0o777),
  }
}

/** The mounts that show the files, which are in the container's folder. */
export function secretMounts(
  directory: string,
  texts: readonly string[],
  hasOwnIds: boolean,
): readonly Mount[] {
  const options = ['bind', 'rprivate', 'ro', 'nosuid', 'nodev', 'noexec']
  return texts.map((text, index) => ({
    destination: parseSecretOption(text).target,
    type: 'bind',
    source: secretFile(directory, index),
    options: hasOwnIds ? [...options, 'idmap'] : options,
  }))
}

/** Where the copy of the container's secret number `index` is. */
export function secretFile(directory: string, index: number): string {
  return join(directory, `secret-${index}`)
}

function splitPair(text: string, pair: string): readonly [string, string] {
  const [key = '', ...rest] = pair.split('=')
  if (!['type', 'target', 'uid', 'gid', 'mode'].includes(key) || rest.length === 0)
    refuseOption('secret', text, `"${pair}" is none of type=, target=, uid=, gid=, mode=`)
  return [key, rest.join('=')]
}

function numberOf(text: string, value: string, base: 8 | 10, max: number): number {
  const number = (base === 8 ? /^[0-7]{1,4}$/ : /^\d{1,10}$/).test(value)
    ? Number.parseInt(value, base)
    : Number.NaN
  if (!(number <= max)) refuseOption('secret', text, `"${value}" is no number that it can be`)
  return number
}
