using System.Text.Json;
using System.Text.Json.Serialization;

namespace TripBooking;

/// <summary>How events and the state of the saga become JSON: generated at build time, so that nothing needs reflection.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(Trip))]
[JsonSerializable(typeof(ConfirmationRequested))]
[JsonSerializable(typeof(ConfirmationSent))]
public sealed partial class AppJson : JsonSerializerContext;
