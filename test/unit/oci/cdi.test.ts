import { describe, expect, it } from 'vitest'
import { parseCdiName, parseCdiSpec } from '../../../src/oci/cdi.ts'

const SPEC = {
  cdiVersion: '0.6.0',
  kind: 'vendor.com/net',
  containerEdits: { env: ['COMMON=1'] },
  devices: [
    {
      name: 'card0',
      containerEdits: {
        deviceNodes: [{ path: '/dev/card0', hostPath: '/dev/null', permissions: 'rw' }],
        mounts: [{ hostPath: '/lib/x', containerPath: '/lib/x', options: ['ro'] }],
        hooks: [{ hookName: 'createContainer', path: '/bin/hook', args: ['hook', 'a'] }],
        additionalGids: [44],
      },
    },
  ],
}

describe('parseCdiName()', () => {
  it.each(['vendor.com/class=name', 'nvidia.com/gpu=all', 'a/b=GPU-1:0'])('reads %s', (text) => {
    const [kind, name] = text.split('=')
    expect(parseCdiName(text)).toEqual({ kind, name })
  })

  it.each([
    '/dev/null',
    '/dev/a=b',
    'vendor/class',
    'vendor/class=',
    'a/b/c=d',
    'a/b=c d',
    'a/b=\n',
  ])('takes %j for none', (text) => {
    expect(parseCdiName(text)).toBeUndefined()
  })
})

describe('parseCdiSpec()', () => {
  it('reads the edits of devices and of all', () => {
    const spec = parseCdiSpec(JSON.stringify(SPEC), 'x.json')
    expect(spec.common.env).toEqual(['COMMON=1'])
    expect(spec.devices.get('card0')).toMatchObject({
      deviceNodes: [{ path: '/dev/card0', hostPath: '/dev/null', permissions: 'rw' }],
      mounts: [{ source: '/lib/x', destination: '/lib/x', options: ['ro'] }],
      hooks: [{ kind: 'createContainer', path: '/bin/hook', args: ['hook', 'a'] }],
      additionalGids: [44],
    })
  })

  it.each([
    ['{', 'x.json'],
    ['[]', '/kind is required'],
    [JSON.stringify({ ...SPEC, kind: 'x' }), '/kind must be vendor/class'],
    [JSON.stringify({ ...SPEC, devices: [{ name: '../x' }] }), '/devices/0/name must be'],
    [JSON.stringify({ ...SPEC, devices: {} }), '/devices'],
    [
      JSON.stringify({ ...SPEC, containerEdits: { hooks: [{ hookName: 'x', path: 'y' }] } }),
      'hookName must be one of',
    ],
    [
      JSON.stringify({
        ...SPEC,
        containerEdits: { mounts: [{ hostPath: 'a', containerPath: 1 }] },
      }),
      'hostPath must be an absolute path',
    ],
    [
      JSON.stringify({
        ...SPEC,
        containerEdits: { deviceNodes: [{ path: '/d', permissions: 'x' }] },
      }),
      'must be some of r, w and m',
    ],
  ])('refuses %s', (text, reason) => {
    expect(() => parseCdiSpec(text, 'x.json')).toThrow(reason)
  })
})
