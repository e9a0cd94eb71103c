namespace EventBus.Stores;

/// <summary>Describes a subscription that was in use.</summary>
/// <param name="Service">The name of its application.</param>
/// <param name="Name">The subscription's name.</param>
/// <param name="LastSeen">The time at which an instance last recorded that it consumes the subscription.</param>
public readonly record struct SeenSubscription(string Service, string Name, DateTimeOffset LastSeen);
