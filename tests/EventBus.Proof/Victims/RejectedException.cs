namespace EventBus.Proof;

/// <summary>The service says no.</summary>
internal sealed class RejectedException() : Exception("no");
