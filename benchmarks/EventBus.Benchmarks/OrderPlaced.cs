namespace EventBus.Benchmarks;

/// <summary>The event of every benchmark: about 150 bytes as JSON.</summary>
internal sealed record OrderPlaced(Guid Id, string OrderId, string UserId, decimal Total, long Timestamp);
