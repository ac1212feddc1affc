/**
 * The files that limits become are those of runc and crun, key by key. What these write was recorded from runc 1.3
 * and crun 1.28 by running this file with TSRUN_RECORD=1; where tsrun differs on purpose, DIFFERENCES says why.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Bundle, makeBundle } from '../../support/runtime-bundle.ts'
import { LIMIT_CASES } from '../support/limit-cases.ts'
import { DIFFERENCES } from '../support/limit-differences.ts'
import { changedFiles, type LimitFiles, limitFiles } from '../support/limit-files.ts'

const PEERS = ['runc', 'crun'] as const
const GOLDEN = new URL('../golden/limits.json', import.meta.url)

interface Golden {
  readonly versions: Readonly<Record<string, string>>
  readonly cases: Readonly<Record<string, Readonly<Record<string, LimitFiles>>>>
}

let bundle: Bundle
let untouched: LimitFiles = {}

beforeAll(() => {
  bundle = makeBundle()
  untouched = limitFiles('tsrun', bundle, { create: {} })
})
afterAll(() => {
  bundle[Symbol.dispose]()
})

function version(name: string): string {
  return spawnSync(name, ['--version'], { encoding: 'utf8' }).stdout.split('\n')[0] ?? ''
}

function record(): Golden {
  const cases = Object.entries(LIMIT_CASES).map(([name, limits]) => {
    const files = PEERS.map((peer) => [
      peer,
      changedFiles(limitFiles(peer, bundle, limits), untouched),
    ])
    return [name, Object.fromEntries(files)]
  })
  const versions = PEERS.map((peer) => [peer, version(peer)])
  return { versions: Object.fromEntries(versions), cases: Object.fromEntries(cases) }
}

const isRecording = process.env.TSRUN_RECORD === '1'

it.runIf(isRecording)('records the peers', () => {
  writeFileSync(GOLDEN, `${JSON.stringify(record(), undefined, 2)}\n`)
})

describe.skipIf(isRecording)('limits', () => {
  const golden: Golden = isRecording
    ? { versions: {}, cases: {} }
    : JSON.parse(readFileSync(GOLDEN, 'utf8'))

  it('has at least sixty cases, all of them recorded', () => {
    expect(Object.keys(LIMIT_CASES).length).toBeGreaterThanOrEqual(60)
    expect(Object.keys(golden.cases)).toEqual(Object.keys(LIMIT_CASES))
  })

  it.each(Object.keys(LIMIT_CASES))('%s', (name) => {
    const limits = LIMIT_CASES[name] ?? { create: {} }
    const files = changedFiles(limitFiles('tsrun', bundle, limits), untouched)
    for (const peer of PEERS) {
      const difference = DIFFERENCES.find((entry) => entry.name === name && entry.peer === peer)
      const expected = golden.cases[name]?.[peer]
      if (difference === undefined) expect(files, peer).toEqual(expected)
      // A difference that is none any more must go from the list.
      else expect(files, `${peer}: ${difference.reason}`).not.toEqual(expected)
      if (difference !== undefined) expect(files).toEqual(difference.files)
    }
  })
})
