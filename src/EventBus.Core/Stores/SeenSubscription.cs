namespace EventBus.Stores;

/// <summary>A subscription that was in use.</summary>
/// <param name="Service">The name of its application.</param>
/// <param name="Name">Its name.</param>
/// <param name="LastSeen">When an instance last noted that it consumes it.</param>
public readonly record struct SeenSubscription(string Service, string Name, DateTimeOffset LastSeen);
