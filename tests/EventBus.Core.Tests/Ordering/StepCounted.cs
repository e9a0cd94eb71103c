using EventBus.Stores;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

[EventName("step.counted")]
public sealed record StepCounted(long Number);
