using EventBus.Stores;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

[EventName("step.taken")]
public sealed record StepTaken(string OrderId, int Number);
