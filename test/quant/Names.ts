/**
 * Every name of a ready-made quantizer of Brevitas 0.12.1 that the catalogue has too, by the file of Brevitas.
 */
const words = (text: string): ReadonlyArray<string> => text.trim().split(/\s+/)

/** The quantizers of a minifloat standard: ten of widths to be given, eight for each format. */
const standard = (label: string): ReadonlyArray<string> => [
  ...words(`Weight Act WeightPerTensorFloat WeightPerTensorFloatMSE WeightPerChannelFloat WeightPerChannelFloatMSE
    ActPerTensorFloat ActPerTensorFloatMSE ActPerChannelFloat2d ActPerChannelFloat2dMSE`).map(
    (name) => `Fp${label}${name}`
  ),
  ...["e4m3", "e5m2"].flatMap((format) =>
    words(`Weight Act WeightPerTensorFloat WeightPerTensorFloatMSE WeightPerChannelFloat WeightPerChannelFloatMSE
      ActPerTensorFloat ActPerTensorFloatMSE`).map((name) => `Fp8${format}${label}${name}`)
  )
]

export const names: Readonly<Record<string, ReadonlyArray<string>>> = {
  scaled_int: words(`
    Int8WeightPerTensorFloat Int8WeightPerTensorFloatMSE Int8WeightPerChannelFloat Int8WeightPerChannelFloatMSE
    Int8WeightPerTensorFloatHQO Int8WeightPerChannelFloatHQO Int8ActPerTensorFloat Int8ActPerTensorFloatMSE
    Int8ActPerTensorFloatMinMaxInit Uint8ActPerTensorFloat Uint8ActPerTensorFloatMSE Uint8ActPerTensorFloatMaxInit
    Uint8ActPerTensorFloatBatchQuant1d Uint8ActPerTensorFloatBatchQuant2d Int8ActPerTensorFloatBatchQuant1d
    Int8ActPerTensorFloatBatchQuant2d IntBias Int8Bias Int16Bias Int24Bias Int32Bias
    Int8BiasPerTensorFloatInternalScaling TruncTo8bit RoundTo8bit ShiftRoundSaturateTo8bit
    Int4WeightPerTensorFloatDecoupled Int8WeightPerChannelFloatDecoupled Int8WeightNormL2PerChannelFixedPoint
    Int8AccumulatorAwareWeightQuant Int8AccumulatorAwareZeroCenterWeightQuant`),
  fixed_point: words(`
    Int8WeightPerTensorFixedPoint Int8WeightPerChannelFixedPoint Int8WeightPerTensorFixedPointMSE
    Int8WeightPerChannelFixedPointMSE Int8ActPerTensorFixedPoint Int8ActPerTensorFixedPointMSE
    Int8ActPerTensorFixedPointMinMaxInit Uint8ActPerTensorFixedPoint Uint8ActPerTensorFixedPointMSE
    Uint8ActPerTensorFixedPointMaxInit Int8BiasPerTensorFixedPointInternalScaling
    Int4WeightPerTensorFixedPointDecoupled`),
  shifted_scaled_int: words(`
    ShiftedUint8ActPerTensorFixedPoint ShiftedUint8ActPerTensorFixedPointMSE ShiftedUint8ActPerTensorFloat
    ShiftedUint8ActPerTensorFloatMSE ShiftedUint8ActPerTensorFloatHQO ShiftedUint8WeightPerTensorFloat
    ShiftedUint8WeightPerTensorFloatMSE ShiftedUint8WeightPerTensorFloatHQO ShiftedUint8WeightPerChannelFloat
    ShiftedUint8WeightPerChannelFloatMSE ShiftedUint8WeightPerChannelFloatHQO ShiftedUint8WeightPerGroupFloatHQO
    ShiftedUint8WeightGroupQuantFloat`),
  binary: words("SignedBinaryWeightPerTensorConst SignedBinaryActPerTensorConst"),
  ternary: words("SignedTernaryWeightPerTensorConst SignedTernaryActPerTensorConst"),
  none: words("NoneWeightQuant NoneActQuant NoneBiasQuant NoneTruncQuant NoneClampQuant"),
  float: words(`
    Fp8e4m3Weight Fp8e5m2Weight Fp8e4m3Act Fp8e5m2Act Fp8e4m3WeightPerTensorFloat Fp8e5m2WeightPerTensorFloat
    Fp8e4m3WeightPerTensorFloatMSE Fp8e4m3WeightPerChannelFloat Fp8e5m2WeightPerChannelFloat
    Fp8e4m3WeightPerChannelFloatMSE Fp8e4m3ActPerTensorFloat Fp8e5m2ActPerTensorFloat Fp8e4m3ActPerTensorFloatMSE
    Fp8e5m2ActPerTensorFloatMSE Fp8e4m3ActPerChannelFloat2d Fp8e5m2ActPerChannelFloat2d
    Fp8e4m3ActPerChannelFloat2dMSE Fp8e5m2ActPerChannelFloat2dMSE`),
  float_quant_ocp: standard("OCP"),
  float_quant_fnuz: standard("FNUZ"),
  mx_quant_ocp: words(`
    MXFloat8e4m3Weight MXFloat8e4m3WeightMSE MXFloat8e4m3Act MXInt8Weight MXInt8WeightMSE MXInt8Act
    ShiftedMXUInt8Weight ShiftedMXUInt8WeightMSE`),
  "brevitas_examples, common/generative/quantizers": words(`
    IntWeightSymmetricGroupQuant Fp8e4m3WeightSymmetricGroupQuant Fp8e4m3OCPWeightSymmetricGroupQuant
    Int8DynamicActPerTensorFloat Int8DynamicActPerRowFloat Int8DynamicActPerRowFixedPoint Int8DynamicActPerGroupFloat
    ShiftedUint8DynamicActPerTensorFloat ShiftedUint8DynamicActPerRowFloat ShiftedUint8DynamicActPerGroupFloat
    Fp8e4m3DynamicActPerGroupFloat Fp8e4m3OCPDynamicActPerGroupFloat FP8e4m3OCPDynamicActPerRowFloat
    FP8e4m3OCPDynamicActPerRowFixedPoint Fp8e4m3FNUZDynamicActPerTensorFloat FP8e4m3FNUZDynamicActPerRowFloat
    Fp8e4m3OCPWeightPerChannelFixedPointMSE Fp8e4m3OCPWeightPerChannelFloatMSE`)
}
