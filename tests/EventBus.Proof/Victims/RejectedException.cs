namespace EventBus.Proof;

/// <summary>The exception of a service that rejects a call.</summary>
internal sealed class RejectedException() : Exception("no");
