using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace EventBus;

/// <summary>
/// Defines the JSON serialization of stored sagas and of the events about their progress. The depth is raised, because
/// a stored saga contains the application's state.
/// </summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault,
    MaxDepth = 1_000)]
[JsonSerializable(typeof(SagaProgress))]
[JsonSerializable(typeof(SagaStepCompleted))]
[JsonSerializable(typeof(SagaCompleted))]
[JsonSerializable(typeof(SagaFailed))]
internal sealed partial class SagaJson : JsonSerializerContext
{
    /// <summary>
    /// Returns the type information of the events that sagas publish about their progress; null for all other types.
    /// </summary>
    public static JsonTypeInfo? Of(Type type)
    {
        if (type == typeof(SagaStepCompleted))
        {
            return SagaJson.Default.SagaStepCompleted;
        }

        if (type == typeof(SagaCompleted))
        {
            return SagaJson.Default.SagaCompleted;
        }

        return type == typeof(SagaFailed) ? SagaJson.Default.SagaFailed : null;
    }
}
