import { describe, expect, it } from 'vitest'
import { chooseVolumes, type ListedVolume } from '../../../../src/engine/volumes/list-volumes.ts'

function volume(name: string, labels = {}, users: string[] = [], anonymous = false): ListedVolume {
  const settings = { driver: 'local', driverOptions: {}, labels }
  return { volume: { version: 1, name, createdAt: '', anonymous, ...settings }, users }
}

const ALL = [
  volume('web', { app: 'web', tier: '1' }),
  volume('web-logs', { app: 'web' }, ['c1']),
  volume('f00', {}, [], true),
]

function names(...filters: string[]): string[] {
  return chooseVolumes(ALL, filters).map((listed) => listed.volume.name)
}

describe('chooseVolumes()', () => {
  it.each([
    [[], ['web', 'web-logs', 'f00']],
    [['name=web'], ['web', 'web-logs']],
    [
      ['name=logs', 'name=f0'],
      ['web-logs', 'f00'],
    ],
    [['label=app'], ['web', 'web-logs']],
    [['label=app=web', 'label=tier=1'], ['web']],
    [['label!=tier'], ['web-logs', 'f00']],
    [['label!=app=web'], ['f00']],
    [['dangling=true'], ['web', 'f00']],
    [['dangling=0'], ['web-logs']],
    [['dangling=true', 'name=web'], ['web']],
    [['anonymous=true'], ['f00']],
    [['driver=local'], ['web', 'web-logs', 'f00']],
    [['driver=nfs'], []],
  ])('%j', (filters, expected) => {
    expect(names(...filters)).toEqual(expected)
  })

  it.each(['name', 'size=1', '__proto__=x', 'dangling=perhaps'])('refuses %j', (filter) => {
    expect(() => names(filter)).toThrow(/cannot use the filter/)
  })
})
