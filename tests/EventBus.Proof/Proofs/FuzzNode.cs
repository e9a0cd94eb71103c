using System.Diagnostics;
using Microsoft.Extensions.Logging;

namespace EventBus.Proof;

internal sealed record FuzzNode(List<FuzzNode> Children);
