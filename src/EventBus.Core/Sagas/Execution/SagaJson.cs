using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace EventBus;

/// <summary>How sagas are written, in the store and on the wire.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault, MaxDepth = 1_000)]
[JsonSerializable(typeof(SagaProgress))]
[JsonSerializable(typeof(SagaStepCompleted))]
[JsonSerializable(typeof(SagaCompleted))]
[JsonSerializable(typeof(SagaFailed))]
internal sealed partial class SagaJson : JsonSerializerContext
{
    /// <summary>The type information of the library's own events; null for all others.</summary>
    public static JsonTypeInfo? Of(Type type) =>
        type == typeof(SagaStepCompleted) ? SagaJson.Default.SagaStepCompleted
        : type == typeof(SagaCompleted) ? SagaJson.Default.SagaCompleted
        : type == typeof(SagaFailed) ? SagaJson.Default.SagaFailed
        : null;
}
