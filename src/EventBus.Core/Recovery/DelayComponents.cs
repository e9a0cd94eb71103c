using EventBus.Stores;

namespace EventBus;

/// <summary>Contains the composed objects that publish delayed events.</summary>
/// <param name="Store">The store of the delayed events.</param>
/// <param name="Loop">Publishes the events that are due.</param>
internal sealed record DelayComponents(DelayStore Store, ScheduledLoop Loop);
