namespace EventBus;

/// <summary>The reason why a delivery was not handled.</summary>
internal abstract record Failure;
