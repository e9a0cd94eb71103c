using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Mvc;

namespace Checkout;

/// <summary>Serializes events, requests and replies with code generated at build time, without reflection.</summary>
[JsonSourceGenerationOptions(System.Text.Json.JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(OrderPlaced))]
[JsonSerializable(typeof(OrderPaid))]
[JsonSerializable(typeof(OrderShipped))]
[JsonSerializable(typeof(OrderCancelled))]
[JsonSerializable(typeof(OrderHistoryChanged))]
[JsonSerializable(typeof(Cart))]
[JsonSerializable(typeof(IReadOnlyList<CartItem>))]
[JsonSerializable(typeof(CheckoutReply))]
[JsonSerializable(typeof(CancelReply))]
[JsonSerializable(typeof(OrderPage))]
[JsonSerializable(typeof(IReadOnlyList<BoughtProduct>))]
[JsonSerializable(typeof(List<FailedOrder>))]
[JsonSerializable(typeof(ProblemDetails))]
public sealed partial class AppJson : JsonSerializerContext;
