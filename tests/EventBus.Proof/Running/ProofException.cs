namespace EventBus.Proof;

/// <summary>A proof could not be brought to its end.</summary>
internal sealed class ProofException(string message) : Exception(message);
