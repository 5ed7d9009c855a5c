"""cuda_library: code for the GPU, compiled by nvcc. Built with --config=cuda only.

    load("//third_party/cuda:cuda_library.bzl", "cuda_library")

    cuda_library(
        name = "adam_cuda",
        srcs = ["adam_kernel.cu"],
        deps = [":adam_kernel"],
    )

Sums and products are not contracted (--fmad=false), as nowhere in this project, and division and
square root are rounded correctly, which is nvcc's default: what is done element by element has the
bits that it has on the host.
"""

load("@cuda//:toolkit.bzl", "HOME", "NVCC")

# For `target_compatible_with` of whatever needs CUDA: without the flag it is left out of `//...`.
CUDA_ONLY = select({
    str(Label("//third_party/cuda:enabled")): [],
    "//conditions:default": [str(Label("//third_party/cuda:never"))],
})

# For what stands in for a card.
WITHOUT_CUDA = select({
    str(Label("//third_party/cuda:enabled")): [str(Label("//third_party/cuda:never"))],
    "//conditions:default": [],
})

def with_cuda(labels):
    """Returns `labels` where CUDA is enabled, else nothing: for deps."""
    return select({
        str(Label("//third_party/cuda:enabled")): labels,
        "//conditions:default": [],
    })

# Turing to Blackwell; later cards compile the last one for themselves when they load it.
_ARCHITECTURES = ["75", "80", "86", "89", "90", "100", "120"]

def _compile(ctx, source, output, flags):
    if not NVCC:
        fail("--config=cuda needs the CUDA toolkit: %s has no bin/nvcc; CUDA_HOME names another folder" % HOME)
    context = cc_common.merge_cc_infos(cc_infos = [dep[CcInfo] for dep in ctx.attr.deps]).compilation_context
    args = ctx.actions.args()
    args.add_all(flags)
    args.add(source)
    args.add("-o", output)
    args.add_all(["-std=c++17", "-O3", "-objtemp", "--fmad=false", "--expt-relaxed-constexpr"])
    args.add_all(["--extended-lambda", "-Xcompiler", "-Wall,-fPIC,-ffp-contract=off"])
    args.add_all(context.defines, before_each = "-D")
    args.add_all([".", ctx.genfiles_dir.path, ctx.bin_dir.path], before_each = "-I", uniquify = True)
    args.add_all(context.includes, before_each = "-I")
    args.add_all(context.quote_includes, before_each = "-I")  # nvcc has no -iquote
    args.add_all(context.system_includes, before_each = "-isystem")
    ctx.actions.run(
        executable = NVCC,
        arguments = [args],
        inputs = depset(ctx.files.srcs + ctx.files.hdrs, transitive = [context.headers]),
        outputs = [output],
        mnemonic = "CudaCompile",
        use_default_shell_env = True,
    )

_ATTRS = {
    "deps": attr.label_list(providers = [CcInfo]),
    "hdrs": attr.label_list(allow_files = [".h", ".cuh"]),
    "srcs": attr.label_list(allow_files = [".cu"]),
}

def _cuda_objects_impl(ctx):
    flags = ["-c"]
    for architecture in _ARCHITECTURES:
        flags.append("-gencode=arch=compute_{0},code=sm_{0}".format(architecture))
    flags.append("-gencode=arch=compute_{0},code=compute_{0}".format(_ARCHITECTURES[-1]))
    objects = []
    for source in ctx.files.srcs:
        object = ctx.actions.declare_file("%s/%s.o" % (ctx.label.name, source.basename))
        _compile(ctx, source, object, flags)
        objects.append(object)
    return [DefaultInfo(files = depset(objects))]

_cuda_objects = rule(implementation = _cuda_objects_impl, attrs = _ATTRS)

def _cuda_ptx_impl(ctx):
    texts = []
    for source in ctx.files.srcs:
        for architecture in [_ARCHITECTURES[0], _ARCHITECTURES[-1]]:
            text = ctx.actions.declare_file("%s.%s.ptx" % (ctx.label.name, architecture))
            _compile(ctx, source, text, ["-ptx", "-arch=compute_" + architecture])
            texts.append(text)
    return [DefaultInfo(files = depset(texts), runfiles = ctx.runfiles(files = texts))]

# The PTX of one .cu file, for its oldest and its latest architecture: NAME.75.ptx, NAME.120.ptx.
# For tests of what nvcc makes of kernels.
cuda_ptx = rule(implementation = _cuda_ptx_impl, attrs = _ATTRS)

def cuda_library(name, srcs, hdrs = [], deps = [], **kwargs):
    """A cc_library of .cu files.

    Args:
      name: of the cc_library.
      srcs: .cu files.
      hdrs: headers, for users of the library too.
      deps: cc_libraries whose headers they include; the CUDA runtime is always there.
      **kwargs: passed on to cc_library.
    """
    deps = deps + [str(Label("//third_party/cuda"))]
    _cuda_objects(
        name = name + "_objects",
        srcs = srcs,
        hdrs = hdrs,
        deps = deps,
        target_compatible_with = CUDA_ONLY,
    )
    native.cc_library(
        name = name,
        srcs = [":" + name + "_objects"],
        hdrs = hdrs,
        deps = deps,
        target_compatible_with = CUDA_ONLY,
        **kwargs
    )
