/**
 * The papers, books, standards and programs that doc comments cite: what is known of each, and how a citation tells it.
 */
export interface Work {
  readonly kind: "paper" | "standard" | "program"
  /** what a citation of it has in its text: an id of arXiv or a DOI where there is one */
  readonly cited: string
  readonly authors: string
  readonly year?: number
  readonly title: string
  /** where it appeared, if not on arXiv alone */
  readonly where?: string
  /** its address, where the citation does not tell it */
  readonly link?: string
}

const arXiv = (id: string, authors: string, year: number, title: string): Work => ({
  kind: "paper",
  cited: `arXiv:${id}`,
  authors,
  year,
  title
})

const printed = (cited: string, authors: string, year: number, title: string, where: string): Work => ({
  kind: "paper",
  cited,
  authors,
  year,
  title,
  where
})

const program = (cited: string, title: string, link: string): Work => ({
  kind: "program",
  cited,
  authors: "",
  title,
  link
})

const standard = (cited: string, authors: string, title: string, link?: string): Work => ({
  kind: "standard",
  cited,
  authors,
  title,
  ...(link && { link })
})

export const works: ReadonlyArray<Work> = [
  arXiv(
    "0909.4061",
    "Halko, Martinsson, Tropp",
    2011,
    "Finding structure with randomness: probabilistic algorithms for constructing approximate matrix decompositions"
  ),
  arXiv(
    "1308.3432",
    "Bengio, Léonard, Courville",
    2013,
    "Estimating or propagating gradients through stochastic neurons for conditional computation"
  ),
  arXiv("1412.6980", "Kingma, Ba", 2015, "Adam: a method for stochastic optimization"),
  arXiv("1502.02551", "Gupta et al.", 2015, "Deep learning with limited numerical precision"),
  arXiv(
    "1502.03167",
    "Ioffe, Szegedy",
    2015,
    "Batch normalization: accelerating deep network training by reducing internal covariate shift"
  ),
  arXiv("1512.00567", "Szegedy et al.", 2016, "Rethinking the Inception architecture for computer vision"),
  arXiv(
    "1602.02830",
    "Courbariaux et al.",
    2016,
    "Binarized neural networks: training deep neural networks with weights and activations constrained to +1 or -1"
  ),
  arXiv(
    "1602.07868",
    "Salimans, Kingma",
    2016,
    "Weight normalization: a simple reparameterization to accelerate training of deep neural networks"
  ),
  arXiv("1603.07285", "Dumoulin, Visin", 2016, "A guide to convolution arithmetic for deep learning"),
  arXiv("1605.04711", "Li, Zhang, Liu", 2016, "Ternary weight networks"),
  arXiv("1607.06450", "Ba, Kiros, Hinton", 2016, "Layer normalization"),
  arXiv("1608.03983", "Loshchilov, Hutter", 2017, "SGDR: stochastic gradient descent with warm restarts"),
  arXiv("1609.07009", "Shi et al.", 2016, "Is the deconvolution layer the same as a convolutional layer?"),
  arXiv(
    "1609.07061",
    "Hubara et al.",
    2016,
    "Quantized neural networks: training neural networks with low precision weights and activations"
  ),
  arXiv("1706.03762", "Vaswani et al.", 2017, "Attention is all you need"),
  arXiv("1711.05101", "Loshchilov, Hutter", 2019, "Decoupled weight decay regularization"),
  arXiv("1709.04060", "Umuroglu, Jahre", 2017, "Streamlined deployment for quantized neural networks"),
  arXiv(
    "1712.05877",
    "Jacob et al.",
    2018,
    "Quantization and training of neural networks for efficient integer-arithmetic-only inference"
  ),
  arXiv("1805.01407", "Blackman, Vigna", 2018, "Scrambled linear pseudorandom number generators"),
  arXiv(
    "1901.09504",
    "Zhao et al.",
    2019,
    "Improving neural network quantization without retraining using outlier channel splitting"
  ),
  arXiv("1902.08153", "Esser et al.", 2020, "Learned step size quantization"),
  arXiv("1905.03696", "Dong et al.", 2019, "HAWQ: Hessian aware quantization of neural networks with mixed-precision"),
  arXiv("1906.04721", "Nagel et al.", 2019, "Data-free quantization through weight equalization and bias correction"),
  arXiv("1910.07467", "Zhang, Sennrich", 2019, "Root mean square layer normalization"),
  arXiv(
    "2004.09602",
    "Wu et al.",
    2020,
    "Integer quantization for deep learning inference: principles and empirical evaluation"
  ),
  arXiv("2004.10568", "Nagel et al.", 2020, "Up or down? Adaptive rounding for post-training quantization"),
  arXiv("2010.15487", "Lybrand, Saab", 2021, "A greedy algorithm for quantizing neural networks"),
  arXiv(
    "2102.05426",
    "Li et al.",
    2021,
    "BRECQ: pushing the limit of post-training quantization by block reconstruction"
  ),
  arXiv(
    "2201.11113",
    "Zhang, Zhou, Saab",
    2023,
    "Post-training quantization for neural networks with provable guarantees"
  ),
  arXiv("2206.02915", "Noune et al.", 2022, "8-bit numerical formats for deep neural networks"),
  arXiv("2206.07527", "Pappalardo et al.", 2022, "QONNX: representing arbitrary-precision quantized neural networks"),
  arXiv("2209.05433", "Micikevicius et al.", 2022, "FP8 formats for deep learning"),
  arXiv(
    "2210.17323",
    "Frantar et al.",
    2022,
    "GPTQ: accurate post-training quantization for generative pre-trained transformers"
  ),
  arXiv(
    "2211.10438",
    "Xiao et al.",
    2022,
    "SmoothQuant: accurate and efficient post-training quantization for large language models"
  ),
  arXiv(
    "2301.13376",
    "Colbert, Pappalardo, Petri-Koenig",
    2023,
    "Quantized neural networks for low-precision accumulation with guaranteed overflow avoidance"
  ),
  arXiv(
    "2308.13504",
    "Colbert, Pappalardo, Petri-Koenig",
    2023,
    "A2Q: accumulator-aware quantization with guaranteed overflow avoidance"
  ),
  arXiv(
    "2309.05516",
    "Cheng et al.",
    2023,
    "Optimize weight rounding via signed gradient descent for the quantization of LLMs"
  ),
  arXiv("2401.10432", "Colbert et al.", 2024, "A2Q+: improving accumulator-aware weight quantization"),
  arXiv("2404.00456", "Ashkboos et al.", 2024, "QuaRot: outlier-free 4-bit inference in rotated LLMs"),
  arXiv("2405.16406", "Liu et al.", 2024, "SpinQuant: LLM quantization with learned rotations"),
  arXiv(
    "2406.00800",
    "Zhang et al.",
    2024,
    "MagR: weight magnitude reduction for enhancing post-training quantization"
  ),
  arXiv("2409.17092", "Colbert et al.", 2024, "Accumulator-aware post-training quantization"),
  arXiv(
    "2411.05007",
    "Li et al.",
    2024,
    "SVDQuant: absorbing outliers by low-rank components for 4-bit diffusion models"
  ),
  arXiv(
    "2505.11695",
    "Zhang et al.",
    2025,
    "Qronos: correcting the past by shaping the future... in post-training quantization"
  ),
  {
    ...printed("hqq_blog", "Badri, Shaji", 2023, "Half-quadratic quantization of large machine learning models", ""),
    link: "https://mobiusml.github.io/hqq_blog/"
  },
  printed("Bellman 1957", "Bellman", 1957, "Dynamic programming", "Princeton University Press"),
  printed("Bengio et al. 2003", "Bengio et al.", 2003, "A neural probabilistic language model", "JMLR 3"),
  printed("Dantzig 1957", "Dantzig", 1957, "Discrete-variable extremum problems", "Operations Research 5"),
  printed(
    "Eckart, Young 1936",
    "Eckart, Young",
    1936,
    "The approximation of one matrix by another of lower rank",
    "Psychometrika 1(3)"
  ),
  printed("Elman 1990", "Elman", 1990, "Finding structure in time", "Cognitive Science 14"),
  printed(
    "Giles 2008",
    "Giles",
    2008,
    "Collected matrix derivative results for forward and reverse mode algorithmic differentiation",
    ""
  ),
  printed(
    "Glorot, Bordes, Bengio 2011",
    "Glorot, Bordes, Bengio",
    2011,
    "Deep sparse rectifier neural networks",
    "AISTATS"
  ),
  { kind: "paper", cited: "Golub and Van Loan", authors: "Golub, Van Loan", title: "Matrix computations" },
  printed(
    "Hestenes 1958",
    "Hestenes",
    1958,
    "Inversion of matrices by biorthogonalization and related results",
    "SIAM J. 6(1)"
  ),
  printed(
    "Hochreiter and Schmidhuber 1997",
    "Hochreiter, Schmidhuber",
    1997,
    "Long short-term memory",
    "Neural Computation 9"
  ),
  printed(
    "Huber 1964",
    "Huber",
    1964,
    "Robust estimation of a location parameter",
    "Annals of Mathematical Statistics 35(1)"
  ),
  printed(
    "doi:10.2307/1910129",
    "Land, Doig",
    1960,
    "An automatic method of solving discrete programming problems",
    "Econometrica 28"
  ),
  printed(
    "doi:10.1109/TIT.1982.1056489",
    "Lloyd",
    1982,
    "Least squares quantization in PCM",
    "IEEE Transactions on Information Theory 28"
  ),
  printed(
    "doi:10.1109/TIT.1960.1057548",
    "Max",
    1960,
    "Quantizing for minimum distortion",
    "IRE Transactions on Information Theory 6"
  ),
  printed(
    "Nemhauser and Ullmann 1969",
    "Nemhauser, Ullmann",
    1969,
    "Discrete dynamic programming and capital allocation",
    "Management Science 15"
  ),
  printed("Paley 1933", "Paley", 1933, "On orthogonal matrices", "Journal of Mathematics and Physics 12"),
  printed(
    "Ranzato et al. 2007",
    "Ranzato et al.",
    2007,
    "Unsupervised learning of invariant feature hierarchies with applications to object recognition",
    "CVPR"
  ),
  printed(
    "Srivastava et al. 2014",
    "Srivastava et al.",
    2014,
    "Dropout: a simple way to prevent neural networks from overfitting",
    "JMLR 15"
  ),
  printed(
    "Sun et al. 2019",
    "Sun et al.",
    2019,
    "Hybrid 8-bit floating point (HFP8) training and inference for deep neural networks",
    "NeurIPS"
  ),
  printed(
    "Sylvester 1867",
    "Sylvester",
    1867,
    "Thoughts on inverse orthogonal matrices, simultaneous sign-successions, and tessellated pavements",
    "Philosophical Magazine 34"
  ),
  {
    kind: "paper",
    cited: "LeCun, Cortes, Burges",
    authors: "LeCun, Cortes, Burges",
    title: "The MNIST database of handwritten digits"
  },
  standard("IEEE 754", "IEEE", "Standard for floating-point arithmetic"),
  standard(
    "OCP 8-bit floating point specification",
    "Open Compute Project",
    "OCP 8-bit floating point specification (OFP8), revision 1.0"
  ),
  standard(
    "OCP Microscaling Formats",
    "Open Compute Project",
    "OCP Microscaling Formats (MX) specification, version 1.0"
  ),
  standard("FIPS 180-4", "NIST", "Secure hash standard"),
  standard("ONNX operators", "ONNX", "Operators of ONNX", "https://onnx.ai/onnx/operators/"),
  standard("huggingface/safetensors", "Hugging Face", "Safetensors", "https://github.com/huggingface/safetensors"),
  program("Brevitas", "Brevitas, by file", "https://github.com/Xilinx/brevitas"),
  program("Keras", "Keras", "https://keras.io"),
  program("PyTorch", "PyTorch, by function", "https://pytorch.org/docs"),
  program("TensorFlow's", "TensorFlow", "https://www.tensorflow.org"),
  program("TensorFlow.js", "TensorFlow.js", "https://js.tensorflow.org"),
  program("Vitis AI", "Vitis AI", "https://github.com/Xilinx/Vitis-AI")
]
