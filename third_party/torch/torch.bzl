"""What targets that use LibTorch need to know of the one that was found."""

# For `copts` of whatever includes LibTorch's headers: those of newer ones are C++20. We ourselves
# write C++17.
TORCH_COPTS = select({
    str(Label("//third_party/torch:is_cxx20")): ["-std=c++20"],
    "//conditions:default": [],
})

# For `target_compatible_with` of what computes on GPUs with LibTorch; and its labels, or nothing
# where it is not built: for deps.
ON_CUDA_ONLY = select({
    str(Label("//third_party/torch:on_cuda")): [],
    "//conditions:default": [str(Label("//third_party/cuda:never"))],
})

def with_torch_cuda(labels):
    return select({
        str(Label("//third_party/torch:on_cuda")): labels,
        "//conditions:default": [],
    })
