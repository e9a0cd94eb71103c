using System.Text.Json;

namespace EventBus;

/// <summary>Holds a stored state and the version of its format.</summary>
internal readonly record struct StoredState(int Version, JsonElement Json);
