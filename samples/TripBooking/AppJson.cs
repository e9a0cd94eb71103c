using System.Text.Json;
using System.Text.Json.Serialization;

namespace TripBooking;

/// <summary>
/// Serializes events and the state of the saga with code generated at build time, without reflection.
/// </summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(Trip))]
[JsonSerializable(typeof(ConfirmationRequested))]
[JsonSerializable(typeof(ConfirmationAnswered))]
public sealed partial class AppJson : JsonSerializerContext;
