using System.Collections;
using System.ComponentModel.DataAnnotations;

namespace EventBus;

/// <summary>Declares how many entries a list of an option may have. Null is allowed.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class AllowedCountAttribute(int min, int max) : ValidationAttribute
{
    protected override ValidationResult? IsValid(object? value, ValidationContext validationContext) =>
        value is ICollection { Count: var count } && (count < min || count > max)
            ? new ValidationResult($"{validationContext.DisplayName} has {count} entries; {min} to {max} are allowed.")
            : null;
}
