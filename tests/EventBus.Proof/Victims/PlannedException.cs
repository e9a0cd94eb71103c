namespace EventBus.Proof;

/// <summary>The exception of planned failures.</summary>
internal sealed class PlannedException(string message) : Exception(message);
