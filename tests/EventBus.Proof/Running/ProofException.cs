namespace EventBus.Proof;

/// <summary>The exception of a proof that could not be completed.</summary>
internal sealed class ProofException(string message) : Exception(message);
