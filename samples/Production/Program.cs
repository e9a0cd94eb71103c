using System.ComponentModel.DataAnnotations;
using EventBus;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;

var builder = WebApplication.CreateBuilder(args);
var settings = builder.Configuration;
builder.Services.AddValidation().AddHealthChecks();
builder.Services.AddEventBus(bus =>
{
    bus.Configure(settings.GetSection("EventBus"));
    bus.UseRabbitMq(settings.GetSection("EventBus:RabbitMq"));
    bus.StoreInRedis(settings.GetSection("EventBus:Redis"));
    bus.Event<OrderPlaced>().KeyedBy(order => order.OrderId);
    bus.Subscribe<OrderPlaced, SendReceipt>("receipt", s => s.Idempotent());
    if (settings["Alerts:Webhook"] is { Length: > 0 } webhook)
    {
        bus.AddWebhookAlert(new Uri(webhook));
    }
});

// To OTEL_EXPORTER_OTLP_ENDPOINT. Without the source of the web requests the sampler drops what they publish.
builder.Services.AddOpenTelemetry().WithTracing(tracing => tracing.AddSource("EventBus", "Microsoft.AspNetCore").AddOtlpExporter())
    .WithMetrics(metrics => metrics.AddMeter("EventBus").AddOtlpExporter());
var app = builder.Build();

// Ready: the bus runs, and reaches its broker. Live: the process answers; restarting it would repair no broker.
app.MapHealthChecks("/health/ready", new() { Predicate = check => check.Tags.Contains("ready") });
app.MapHealthChecks("/health/live", new() { Predicate = _ => false });
app.MapPost("/orders", async (OrderPlaced order, IEventBus bus) =>
{
    try
    {
        // The id follows from the order: what is sent again is the same event. Without an id the answer is 400.
        await bus.PublishAsync(order, new PublishOptions { EventId = $"order-placed-{order.OrderId}" });
        return Results.Accepted();
    }
    catch (PublishException problem) when (problem.Failure is PublishFailure.Failed or PublishFailure.InDoubt)
    {
        return Results.StatusCode(StatusCodes.Status503ServiceUnavailable);
    }
});
// For operators; in a real application these need authorization.
app.MapGet("/dead-letters", async (string id, IDeadLetters letters) =>
    await letters.FindAsync(id) is { } letter ? Results.Ok(new { letter.EventName, letter.Error, letter.Attempts }) : Results.NotFound());
app.MapPost("/dead-letters/retry", async (string id, IDeadLetters letters) =>
    await letters.RetryAsync(id) ? Results.Accepted() : Results.NotFound());
await app.RunAsync();

[EventName("order.placed")]
public sealed record OrderPlaced([Required] string OrderId, [Required] string UserId, decimal Total);

public sealed class SendReceipt(ILogger<SendReceipt> log) : IEventHandler<OrderPlaced>
{
    public Task HandleAsync(OrderPlaced order, EventContext context, CancellationToken cancellationToken)
    {
        log.LogInformation("Receipt for order {OrderId}, key {Key}", order.OrderId, context.IdempotencyKey);
        return Task.CompletedTask;
    }
}
