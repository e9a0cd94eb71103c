using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Mvc;

namespace Checkout;

/// <summary>How events, requests and replies become JSON: generated at build time, so that nothing needs reflection.</summary>
[JsonSourceGenerationOptions(System.Text.Json.JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(OrderPlaced))]
[JsonSerializable(typeof(OrderPaid))]
[JsonSerializable(typeof(OrderShipped))]
[JsonSerializable(typeof(Cart))]
[JsonSerializable(typeof(CheckoutReply))]
[JsonSerializable(typeof(List<FailedOrder>))]
[JsonSerializable(typeof(ProblemDetails))]
public sealed partial class AppJson : JsonSerializerContext;
