using System.Text.Json;

namespace EventBus;

/// <summary>A state as it is stored.</summary>
internal readonly record struct StoredState(int Version, JsonElement Json);
