using System.Text.Json.Serialization;

namespace EventBus;

/// <summary>The source-generated JSON of events with mistakes, and of one without.</summary>
[JsonSerializable(typeof(ContractBroken))]
[JsonSerializable(typeof(ContractKept))]
[JsonSerializable(typeof(ContractLost))]
internal sealed partial class ContractJson : JsonSerializerContext;
