namespace EventBus.Proof;

internal sealed record FuzzNode(List<FuzzNode> Children);
