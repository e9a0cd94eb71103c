using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>The backend of a bus: its transport, and its stores if it has any.</summary>
internal sealed record BusBackend(Transport Transport, BusStores? Stores);
