namespace EventBus;

/// <summary>Why a delivery was not handled.</summary>
internal abstract record Failure;
