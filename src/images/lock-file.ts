/**
 * A file that pins tags: for each name and platform the digest of the manifest that it meant when it was
 * pulled first. Kept beside a project's sources, so that everybody runs the same images.
 *
 *   {
 *     "version": 1,
 *     "images": {
 *       "docker.io/library/busybox:latest": {
 *         "linux/amd64": "sha256:…"
 *       }
 *     }
 *   }
 */
import { TsrunError } from '../errors.ts'
import { isDigest } from '../oci/digest.ts'
import { formatPlatform, normalizePlatform, type Platform } from '../oci/platform.ts'
import { formatReference, parseReference } from '../oci/reference.ts'
import { writeFileAtomic } from '../util/atomic-write.ts'
import { readJsonFile } from '../util/json-file.ts'

/** Whole names to platforms to digests. */
export type ImagePins = ReadonlyMap<string, ReadonlyMap<string, string>>

/** The pins in the file, none when it is not there; throws `invalid-argument` naming what is wrong. */
export function readLockFile(path: string): ImagePins {
  const value = readJsonFile(path)
  if (value === undefined) return new Map()
  const refuse = (problem: string): TsrunError =>
    new TsrunError('invalid-argument', `cannot use lock file "${path}": ${problem}`)
  if (!isObject(value) || value.version !== 1) throw refuse('its version is not 1')
  if (!isObject(value.images)) throw refuse('it has no images')
  const pins = new Map<string, ReadonlyMap<string, string>>()
  for (const [name, platforms] of Object.entries(value.images)) {
    if (formatReference(parseReference(name)) !== name)
      throw refuse(`${JSON.stringify(name)} is not the whole name of an image`)
    if (!isObject(platforms)) throw refuse(`${JSON.stringify(name)} has no platforms`)
    const entries = Object.entries(platforms)
    for (const [platform, digest] of entries)
      if (typeof digest !== 'string' || !isDigest(digest))
        throw refuse(`${JSON.stringify(name)} has no digest for ${JSON.stringify(platform)}`)
    pins.set(name, new Map(entries as [string, string][]))
  }
  return pins
}

/** The digest that is pinned for the name on the platform. */
export function pinOf(pins: ImagePins, name: string, platform: Platform): string | undefined {
  return pins.get(name)?.get(platformKey(platform))
}

/** Adds or replaces one pin in the file; what others have added in the meantime stays. */
export function writePin(path: string, name: string, platform: Platform, digest: string): void {
  const pins = readLockFile(path)
  if (pinOf(pins, name, platform) === digest) return
  const platforms = new Map([...(pins.get(name) ?? []), [platformKey(platform), digest] as const])
  writeFileAtomic(path, formatPins(new Map([...pins, [name, platforms]])), { mode: 0o644 })
}

/** The file's text: sorted, so that a difference shows what has changed. */
export function formatPins(pins: ImagePins): string {
  const images = Object.fromEntries(
    sorted(pins).map(([name, platforms]) => [name, Object.fromEntries(sorted(platforms))]),
  )
  return `${JSON.stringify({ version: 1, images }, undefined, 2)}\n`
}

function platformKey(platform: Platform): string {
  return formatPlatform(normalizePlatform(platform))
}

function sorted<T>(map: ReadonlyMap<string, T>): [string, T][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1))
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
